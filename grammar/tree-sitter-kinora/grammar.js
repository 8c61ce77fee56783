/**
 * The kinora language for tree-sitter. `../schedule.ebnf` is normative; a test holds this grammar against every
 * film of the corpus and the examples. It is laxer about line breaks, and knows no methods in the heads of blocks.
 *
 * `src` is written by tree-sitter's generator, ABI 14: `tree-sitter generate --abi 14`.
 */

const list = (rule) => seq(rule, repeat(seq(',', rule)), optional(','));

const PREC = {
  or: 1, and: 2, not: 3, compare: 4, bit_or: 5, bit_and: 7, shift: 8, sum: 9, product: 10, sign: 11, power: 12,
  postfix: 13,
};

module.exports = grammar({
  name: 'kinora',

  extras: ($) => [/\s/, /\u{feff}/u, $.comment],

  word: ($) => $.identifier,

  conflicts: ($) => [
    // `50%` is a percentage unless an operand follows: `10%3` is a remainder.
    [$.percentage, $._expression],
    // A comma may stand behind the last key.
    [$.keys],
  ],

  rules: {
    source_file: ($) => seq(optional($.version), repeat($._item)),

    version: ($) => seq('kinora', $.number),

    _item: ($) => choice($.use, $.let, $.function, $.setting, $.block),

    use: ($) => seq('use', field('file', $.string)),

    let: ($) => seq('let', field('name', $.identifier), '=', field('value', $._expression)),

    function: ($) =>
      seq('fn', field('name', $.identifier), field('parameters', $.parameters), '=', field('body', $._expression)),

    parameters: ($) => seq('(', optional(list($.identifier)), ')'),

    setting: ($) => seq(field('name', $.path), '=', field('value', $._value)),

    path: ($) => seq($.identifier, repeat(seq(token.immediate('.'), $.identifier))),

    block: ($) =>
      seq(field('kind', $.identifier), repeat(field('label', $._label)), '{', repeat($._item), '}'),

    _label: ($) =>
      choice($.identifier, $.number, $.quantity, $.percentage, $.size, $.string, $.list, $.group,
        alias($._tight_call, $.call)),

    // In a head `a (2s)` is a word and a length, `a(2s)` a call.
    _tight_call: ($) => seq(field('function', $.identifier), alias($._tight_arguments, $.arguments)),

    _tight_arguments: ($) => seq(token.immediate('('), optional(list($._argument)), ')'),

    _value: ($) => choice($._expression, $.keys, $.braced_keys),

    braced_keys: ($) => seq('{', $.keys, '}'),

    keys: ($) => list($.key),

    key: ($) => seq(field('time', $._expression), ':', field('value', $._expression), optional(field('ease', $.ease))),

    ease: ($) => prec.right(seq(field('name', $.ease_name), optional($.arguments))),

    ease_name: () => token(/~[A-Za-z_][A-Za-z0-9_-]*/),

    _expression: ($) =>
      choice($.unary, $.binary, $.call, $.method, $.list, $.group, $.string, $.size, $.quantity, $.percentage,
        $.number, $.identifier),

    unary: ($) =>
      choice(
        prec(PREC.not, seq(field('operator', 'not'), $._expression)),
        prec(PREC.sign, seq(field('operator', choice('-', '+', '~')), $._expression)),
      ),

    binary: ($) =>
      choice(
        ...[
          [PREC.or, 'or'],
          [PREC.and, 'and'],
          [PREC.compare, choice('<', '<=', '>', '>=', '==', '!=')],
          [PREC.bit_or, '|'],
          [PREC.bit_and, '&'],
          [PREC.shift, choice('<<', '>>')],
          [PREC.sum, choice('+', '-')],
          [PREC.product, choice('*', '/', '//', '%')],
        ].map(([level, sign]) =>
          prec.left(level, seq(field('left', $._expression), field('operator', sign), field('right', $._expression)))),
        prec.right(PREC.power, seq(field('left', $._expression), field('operator', '**'), field('right', $._expression))),
      ),

    call: ($) => prec(PREC.postfix, seq(field('function', $.identifier), $.arguments)),

    method: ($) =>
      prec(PREC.postfix, seq(field('receiver', choice($.identifier, $.call, $.method, $.list, $.group, $.string)),
        token.immediate('.'), field('function', $.identifier), $.arguments)),

    arguments: ($) => seq('(', optional(list($._argument)), ')'),

    _argument: ($) => choice($.named_argument, $._expression),

    named_argument: ($) => seq(field('name', $.identifier), '=', field('value', $._expression)),

    list: ($) => seq('[', optional(list($._expression)), ']'),

    group: ($) => seq('(', $._expression, ')'),

    string: ($) =>
      choice(
        seq('"', repeat(choice($._double, $.escape, $.interpolation, $._dollar)), token.immediate('"')),
        seq("'", repeat(choice($._single, $.escape, $.interpolation, $._dollar)), token.immediate("'")),
        seq('"""', repeat(choice($._triple, $.escape, $.interpolation, $._dollar, token.immediate('"'))),
          token.immediate('"""')),
      ),

    _double: () => token.immediate(prec(1, /[^"\\$\n]+/)),
    _single: () => token.immediate(prec(1, /[^'\\$\n]+/)),
    _triple: () => token.immediate(prec(1, /[^"\\$]+/)),
    _dollar: () => token.immediate('$'),

    // A backslash before any other character is itself, as prompts write `\(`.
    escape: () => token.immediate(/\\[nt"'\\$]?/),

    interpolation: ($) => seq(token.immediate('${'), $._expression, '}'),

    size: () => token(/[1-9][0-9]*x[0-9]+/),

    quantity: ($) => seq($.number, $.unit),

    unit: () => token.immediate(/(ms|s|f|bars|bar|b|deg|px|x|Hz)(\/(s|f|bar|b))?/),

    percentage: ($) => prec.dynamic(1, seq($.number, alias('%', $.unit))),

    number: () =>
      token(choice(/0[xX][0-9a-fA-F]+/, /[0-9][0-9_]*(\.([0-9][0-9_]*)?)?([eE][+-]?[0-9][0-9_]*)?/,
        /\.[0-9][0-9_]*([eE][+-]?[0-9][0-9_]*)?/)),

    identifier: () => /[A-Za-z_][A-Za-z0-9_]*/,

    comment: () => token(/#[^\n]*/),
  },
});
