//! Which planet somebody means: a built-in one by its name, or a table of their own by its path.

use althing_planet::{Planet, PlanetError};
use std::path::{Path, PathBuf};

/// No planet can be made of what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PlanetSourceError {
    /// Neither a built-in planet nor a file.
    #[error("{0}; a table of your own is named by its path, such as rtt-mine.csv")]
    Unknown(PlanetError),
    /// The file cannot be read.
    #[error("cannot read the round-trip table {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no complete table.
    #[error("the round-trip table {}: {source}", path.display())]
    Table {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: PlanetError,
    },
}

/// The built-in planet of this name; otherwise the table (CSV) at this path, which is named as its
/// file is, without `rtt-` and `.csv`.
///
/// # Errors
/// When there is neither, or the table is not complete.
pub fn load(name_or_path: &str) -> Result<Planet, PlanetSourceError> {
    let path = Path::new(name_or_path);
    match Planet::named(name_or_path) {
        Ok(planet) => return Ok(planet),
        // Whoever writes a path means a file, also one that is not there.
        Err(error) if !path.exists() && !looks_like_path(path) => {
            return Err(PlanetSourceError::Unknown(error));
        }
        Err(_) => {}
    }
    let text = std::fs::read_to_string(path)
        .map_err(|source| PlanetSourceError::Read { path: path.to_owned(), source })?;
    Planet::from_csv(&name_of(path), &text)
        .map_err(|source| PlanetSourceError::Table { path: path.to_owned(), source })
}

fn looks_like_path(path: &Path) -> bool {
    path.components().count() > 1 || path.extension().is_some_and(|extension| extension == "csv")
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".csv").unwrap_or(&name);
    name.strip_prefix("rtt-").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "from,to,min_ms,avg_ms,max_ms,mdev_ms\n\
                         a,a,0,0.1,0,0\nb,b,0,0.1,0,0\na,b,9,10,11,0\n";

    /// Broken: a user's own table cannot be used, or results are filed under its path.
    #[test]
    fn a_table_of_ones_own_is_named_as_its_file() {
        let dir = tempfile::tempdir().unwrap();
        for (file, name) in [("rtt-mine.csv", "mine"), ("lab.csv", "lab"), ("table", "table")] {
            let path = dir.path().join(file);
            std::fs::write(&path, TABLE).unwrap();
            let planet = load(path.to_str().unwrap()).unwrap();
            assert_eq!((planet.name(), planet.regions().len()), (name, 2));
        }
        assert_eq!(load("gcp-2020").unwrap().name(), "gcp-2020");
    }

    /// Broken: whoever mistypes a name is told of files, or whoever mistypes a path of planets.
    #[test]
    fn what_is_missing_is_said_as_it_was_meant() {
        let error = load("gcp-2021").unwrap_err().to_string();
        assert!(error.contains("did you mean \"gcp-2020\"?"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rtt-mine.csv");
        let error = load(path.to_str().unwrap()).unwrap_err();
        assert!(matches!(error, PlanetSourceError::Read { .. }), "{error}");
        std::fs::write(&path, TABLE.replace("a,b", "a,c")).unwrap();
        let error = load(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("rtt-mine.csv: the table has no row between a and b"), "{error}");
    }
}
