//! Tells one story as it goes now, for whoever writes it:
//! ```text
//! cargo run -p althing-scripts --example tell -- crates/scripts/stories/normal/fast_commit.txt
//! ```

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which story?")?;
    let text = std::fs::read_to_string(path)?;
    match althing_scripts::run(&text) {
        Ok(told) => print!("{told}"),
        Err(failure) => {
            print!("{}", failure.told);
            return Err(failure.into());
        }
    }
    Ok(())
}
