use super::format;

fn formatted(text: &str) -> String {
    let once = format("film.kin", text).unwrap();
    assert_eq!(format("film.kin", &once).unwrap(), once, "formatting twice is formatting once");
    once
}

#[test]
fn blanks_change_and_spellings_stay() {
    let film = "kinora   1\n\n\n\nlet speed=0.60\nlet k =  1_000*0x10\nfn f( x,y )=x+y*2**-1\n\
        zoom=0s:1.0,2s:1.50~ease-in,4s:1~cubic-bezier(.2,0,0,1)   # push\n\
        strength_schedule = 0:(0.65),\"max_f/2\":(0.5)\nfps=24000/1001\n# the end\n\n\n";
    let expected = "kinora 1\n\nlet speed = 0.60\nlet k     = 1_000 * 0x10\nfn f(x, y) = x + y * 2**-1\n\
        zoom              = 0s: 1.0, 2s: 1.50 ~ease-in, 4s: 1 ~cubic-bezier(.2, 0, 0, 1)  # push\n\
        strength_schedule = 0:(0.65),\"max_f/2\":(0.5)\nfps               = 24000/1001\n# the end\n";
    assert_eq!(formatted(film), expected);
}

#[test]
fn blocks_of_one_line_stay_in_one_line_while_they_fit() {
    assert_eq!(formatted("video{size=256x256 fps=8}"), "video { size = 256x256  fps = 8 }\n");
    let long = format!("control d {{ image = \"{}\" weight = 1 }}", "a".repeat(90));
    assert_eq!(
        formatted(&long),
        format!("control d {{\n  image  = \"{}\"\n  weight = 1\n}}\n", "a".repeat(90))
    );
    assert_eq!(formatted("scene a 3s\n{\n}"), "scene a 3s { }\n");
}

#[test]
fn long_lists_of_keys_have_one_key_a_line() {
    let keys: Vec<String> = (0..12).map(|i| format!("{i}s: 1.0{i} ~ease")).collect();
    let out = formatted(&format!("scene a 20s {{\n zoom = {}\n}}", keys.join(",")));
    assert_eq!(out, format!("scene a 20s {{\n  zoom = {}\n}}\n", keys.join(",\n         ")));
    let prompts = "prompts = {\n\"0\":\"a\",   # first\n# then\n\"30\":\"b\",\n}";
    assert_eq!(formatted(prompts), "prompts = {\n  \"0\": \"a\",  # first\n  # then\n  \"30\": \"b\",\n}\n");
}

#[test]
fn comments_stay_wherever_they_stood() {
    let film = "\u{feff}# top\nkinora 1 # version\nzoom = # why\n 1 + # one\n 2\nscene a # name\n 3s { # open\n\n # in\n\n}# closed\n";
    // Behind a scene's name its head must go on in the same line, so that film is none.
    assert!(format("film.kin", film).is_err());
    let film = film.replace("a # name\n 3s {", "a 3s # name\n {");
    let out = formatted(&film);
    assert_eq!(
        out,
        "\u{feff}# top\nkinora 1  # version\n# why\nzoom = 1 + # one\n 2\n# name\nscene a 3s {  # open\n  # in\n}  # closed\n"
    );
}

#[test]
fn line_breaks_are_those_of_the_first_line() {
    let film = "kinora 1\r\nzoom=1\r\nprompt = \"\"\"a\r\nb\"\"\"\r\n";
    assert_eq!(formatted(film), "kinora 1\r\nzoom   = 1\r\nprompt = \"\"\"a\r\nb\"\"\"\r\n");
}

#[test]
fn an_expression_of_several_lines_is_joined_when_it_fits() {
    assert_eq!(formatted("zoom = max(1,\n    2)\n"), "zoom = max(1, 2)\n");
    let long = format!("zoom = max({},\n    2)\n", vec!["1000"; 20].join(", "));
    assert_eq!(formatted(&long), long);
}

#[test]
fn a_film_with_syntax_errors_is_not_formatted() {
    let error = format("film.kin", "zoom = (1\n").unwrap_err();
    assert_eq!(error.exit_code(), 1);
}
