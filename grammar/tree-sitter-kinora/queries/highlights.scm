(comment) @comment

(version "kinora" @keyword)
["use" "let" "fn"] @keyword
["and" "or" "not"] @keyword.operator

(block kind: (identifier) @keyword)
(block label: (identifier) @label)
(setting name: (path) @property)
(let name: (identifier) @constant)
(function name: (identifier) @function)
(parameters (identifier) @variable.parameter)
(named_argument name: (identifier) @variable.parameter)
(call function: (identifier) @function.call)
(method function: (identifier) @function.method)
(ease_name) @function.builtin

(string) @string
(escape) @string.escape
(interpolation) @embedded
(number) @number
(size) @number
(unit) @type

((identifier) @variable.builtin
 (#any-of? @variable.builtin "t" "max_f" "s" "sec" "beat" "u" "fps" "pi" "tau"))
((identifier) @boolean
 (#any-of? @boolean "true" "false" "True" "False"))

["+" "-" "*" "/" "//" "%" "**" "<" "<=" ">" ">=" "==" "!=" "&" "|" "~" "<<" ">>" "="] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":"] @punctuation.delimiter
