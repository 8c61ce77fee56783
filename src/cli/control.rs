//! A control on the command line: `--control "depth=depth.png,model=NAME,weight=1"`.

use std::path::{Path, PathBuf};

use crate::cli::still::number;
use crate::run::still::{CANNY, ControlFrom, ControlOption, FIDELITY};
use crate::timeline::frame::{ControlMode, Fit};

/// Settings that may stand behind a control's picture.
const CONTROL_SETTINGS: [&str; 11] =
    ["model", "weight", "start", "end", "mode", "from", "low", "high", "fidelity", "resize", "invert"];

/// `depth=depth.png,model=NAME,weight=1`. Only a comma in front of a setting's name ends what stands before it,
/// so that names of files may have commas.
pub(crate) fn control(text: &str) -> Result<ControlOption, String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        let is_setting =
            part.split_once('=').is_some_and(|(name, _)| CONTROL_SETTINGS.contains(&name.trim()));
        match parts.last_mut() {
            Some(last) if !is_setting => {
                last.push(',');
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    let mut parts = parts.iter().filter_map(|part| part.split_once('=')).map(|(a, b)| (a.trim(), b.trim()));
    let named = parts.next().filter(|(name, picture)| !name.is_empty() && !picture.is_empty());
    let Some((name, picture)) = named.filter(|(name, _)| !CONTROL_SETTINGS.contains(name)) else {
        return Err("expected a name and a picture such as depth=depth.png".to_owned());
    };
    let picture = (picture != "auto").then(|| PathBuf::from(picture));
    if let Some(problem) = picture.as_ref().and_then(|picture| misspelled(picture)) {
        return Err(problem);
    }
    let mut found = ControlOption {
        name: name.to_owned(),
        picture,
        from: ControlFrom::AsIs,
        fit: Fit::default(),
        invert: false,
        model: None,
        weight: 1.0,
        start: 0.0,
        end: 1.0,
        mode: ControlMode::Balanced,
    };
    let parts: Vec<(&str, &str)> = parts.collect();
    if let Some((_, from)) = parts.iter().find(|(setting, _)| *setting == "from") {
        found.from = looks(from)?;
    }
    for (setting, value) in parts {
        let told = |problem: String| format!("{setting}: {problem}");
        match setting {
            "model" => found.model = Some(value.to_owned()),
            "weight" => found.weight = number::<0, 10>(value).map_err(told)?,
            "start" => found.start = number::<0, 1>(value).map_err(told)?,
            "end" => found.end = number::<0, 1>(value).map_err(told)?,
            "from" => {}
            "low" | "high" | "fidelity" => threshold(&mut found.from, setting, value).map_err(told)?,
            "resize" => found.fit = fit(value).map_err(told)?,
            "invert" => {
                found.invert = value.parse().map_err(|_| told("expected true or false".to_owned()))?
            }
            _ => found.mode = mode(value).map_err(told)?,
        }
    }
    if let ControlFrom::Canny { low, high } = found.from
        && low > high
    {
        return Err(format!(
            "low ({low}) is above high ({high}): edges begin above `high` and go on above `low`"
        ));
    }
    if found.start > found.end {
        return Err(format!("it ends ({}) before it starts ({})", found.end, found.start));
    }
    Ok(found)
}

/// Names of files may have commas and `=`; where there is no such file, what stands behind the comma was meant as a
/// setting.
fn misspelled(picture: &Path) -> Option<String> {
    let (_, setting) = picture.to_str()?.split_once(',')?;
    let (name, _) = setting.split_once('=').filter(|_| !picture.exists())?;
    let name = name.trim();
    let near = CONTROL_SETTINGS.into_iter().find(|known| strsim::damerau_levenshtein(known, name) <= 2);
    Some(match near {
        Some(near) => format!("there is no setting `{name}`, did you mean `{near}`?"),
        None => format!("there is no setting `{name}`, expected one of {}", CONTROL_SETTINGS.join(", ")),
    })
}

/// How a control looks at its picture, with the usual thresholds.
fn looks(text: &str) -> Result<ControlFrom, String> {
    match text {
        "as_is" | "depth" => Ok(ControlFrom::AsIs),
        "canny" => Ok(ControlFrom::Canny { low: CANNY.0, high: CANNY.1 }),
        "reference" => Ok(ControlFrom::Reference(FIDELITY)),
        _ => Err(format!("from: expected as_is, depth, canny or reference, found `{text}`")),
    }
}

/// Sets a threshold that belongs to the way the control looks.
fn threshold(from: &mut ControlFrom, setting: &str, value: &str) -> Result<(), String> {
    match (from, setting) {
        (ControlFrom::Canny { low, .. }, "low") => *low = number::<0, 2040>(value)?,
        (ControlFrom::Canny { high, .. }, "high") => *high = number::<0, 2040>(value)?,
        (ControlFrom::Reference(fidelity), "fidelity") => *fidelity = number::<0, 1>(value)?,
        (_, "fidelity") => return Err("it belongs to from=reference".to_owned()),
        _ => return Err("it belongs to from=canny".to_owned()),
    }
    Ok(())
}

/// A way to bring a picture to a shape, by the film language's name.
fn fit(text: &str) -> Result<Fit, String> {
    match text {
        "crop" => Ok(Fit::Crop),
        "stretch" => Ok(Fit::Stretch),
        "fit" => Ok(Fit::Inside),
        _ => Err(format!("expected crop, stretch or fit, found `{text}`")),
    }
}

/// A control mode by kinora's name or the web UI's.
fn mode(text: &str) -> Result<ControlMode, String> {
    match text.to_lowercase().as_str() {
        "balanced" => Ok(ControlMode::Balanced),
        "prompt" | "my prompt is more important" => Ok(ControlMode::Prompt),
        "control" | "controlnet is more important" => Ok(ControlMode::Control),
        _ => Err("expected balanced, prompt or control".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_taken_apart() {
        let found =
            control("depth=a,b.png, model=my control,weight=0.5,start=0.1,end=.9,mode=prompt").unwrap();
        assert_eq!(found.picture, Some(PathBuf::from("a,b.png")));
        assert_eq!(found.model.as_deref(), Some("my control"));
        assert_eq!((found.weight, found.start, found.end, found.mode), (0.5, 0.1, 0.9, ControlMode::Prompt));
        assert_eq!(control("depth=auto").unwrap().picture, None);
        let edges = control("edges=auto,low=30,from=canny,invert=true,resize=fit").unwrap();
        assert_eq!(edges.from, ControlFrom::Canny { low: 30.0, high: 200.0 });
        assert!(edges.invert && edges.fit == Fit::Inside);
        assert_eq!(
            control("style=a.png,from=reference,fidelity=1").unwrap().from,
            ControlFrom::Reference(1.0)
        );
        for wrong in [
            "",
            "depth",
            "depth=",
            "=x.png",
            "model=x",
            "d=x,weight=-1",
            "d=x,start=0.5,end=0.4",
            "d=x,mode=y",
            "d=x,from=y",
            "d=x,low=3",
            "d=x,from=canny,fidelity=1",
            "d=x,resize=y",
            "d=x,from=canny,low=300",
        ] {
            assert!(control(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelled_setting_is_no_part_of_the_name_of_a_file() {
        assert_eq!(
            control("depth=depth.png,wieght=1").unwrap_err(),
            "there is no setting `wieght`, did you mean `weight`?"
        );
        assert!(control("depth=depth.png,colour=1").unwrap_err().contains("expected one of model, weight"));
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a,b=c.png");
        std::fs::write(&odd, "").unwrap();
        let found = control(&format!("depth={},weight=2", odd.display())).unwrap();
        assert_eq!((found.picture, found.weight), (Some(odd), 2.0));
    }
}
