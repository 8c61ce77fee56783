//! scratch
use kinora::schedule;
use kinora::timeline::{Options, Timeline};

#[test]
fn scratch() {
    for entry in std::env::var("KIN").unwrap_or_default().split(':').filter(|p| !p.is_empty()) {
        println!("=== {entry}");
        match kinora::timeline::check(std::path::Path::new(entry), &Options::default()) {
            Ok((_, timeline, found)) => {
                println!("{}", schedule::report::render(&found, Default::default()));
                for f in [0, timeline.frames() / 2, timeline.frames() - 1] {
                    println!("{:?}", timeline.at(f).unwrap());
                }
            }
            Err(kinora::error::Error::Schedule(found)) => {
                println!("{}", schedule::report::render(&found, Default::default()))
            }
            Err(e) => println!("{e}"),
        }
    }
    let _ = Timeline::new;
}
