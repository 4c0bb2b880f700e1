//! A table of round trips.

use crate::{Outcomes, Target};
use althing_planet::Planet;
use arbitrary::{Result, Unstructured};
use std::fmt::Write;

pub(crate) const TARGET: Target = Target {
    name: "planet",
    run,
    len_max: 4096,
    generate,
    words: &[
        "from,to,min_ms,avg_ms,max_ms,mdev_ms\n",
        "a,a,0,0,0,0\n",
        "a,b,1,2,3,4\n",
        "\"",
        "\"\"",
        ",",
        "\r\n",
        "\n",
        " ",
        "1e300",
        "-0",
        "3600000",
        "NaN",
        "0.0004999",
        "\u{feff}",
    ],
};

fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Planet::from_csv("mine", text) {
        Ok(planet) => {
            outcomes.note(("read", planet.regions().len()));
            let written = planet.to_csv();
            let again = Planet::from_csv("mine", &written);
            assert_eq!(again.as_ref(), Ok(&planet), "what is written cannot be read: {written:?}");
            for from in planet.regions() {
                for to in planet.regions() {
                    planet.one_way_us(from, to).expect("the table is complete");
                }
            }
        }
        Err(error) => {
            outcomes.note(std::mem::discriminant(&error));
            assert!(!error.to_string().is_empty());
        }
    }
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let names: Vec<String> = (0..bytes.int_in_range(1..=3)?)
        .map(|index| {
            let inner: String = bytes.arbitrary::<String>()?.chars().take(6).collect();
            let is_plain = bytes.ratio(3, 4)?;
            let plain = format!("r{index}");
            let quoted = format!("\"{index}{}\"", inner.replace('"', "\"\""));
            Ok(if is_plain { plain } else { quoted })
        })
        .collect::<Result<_>>()?;
    let mut text = "from,to,min_ms,avg_ms,max_ms,mdev_ms\n".to_owned();
    for from in &names {
        for to in &names {
            let times: [u32; 4] = bytes.arbitrary()?;
            let [min, avg, max, mdev] = times.map(|us| f64::from(us % 3_600_000) / 1000.0);
            writeln!(text, "{from},{to},{min},{avg},{max},{mdev}").expect("memory does not fail");
        }
    }
    Ok(text.into())
}
