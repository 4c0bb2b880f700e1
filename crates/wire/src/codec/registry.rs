//! A node's registry to and from the bytes of its file.

use super::{DecodeError, Fault, count, encode, parse, to_bytes};
use crate::generated as pb;
use crate::{RegistryState, Standing};
use bytes::Bytes;

impl RegistryState {
    /// The registry's bytes.
    pub fn encode(&self) -> Bytes {
        let known: Vec<_> = self.known.iter().map(|(node, number)| (*node, *number)).collect();
        to_bytes(&pb::RegistryState {
            incarnation: self.incarnation,
            standing: match self.standing {
                Standing::Asking => 0,
                Standing::Admitted => 1,
                Standing::Lost => 2,
            },
            known: encode::nodes(&known),
        })
    }

    /// The registry in these bytes.
    ///
    /// # Errors
    /// When they are none of this version.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (body, state): (_, pb::RegistryState) = parse("RegistryState", bytes, count::PLAIN)?;
        let standing = match state.standing {
            0 => Standing::Asking,
            1 => Standing::Admitted,
            2 => Standing::Lost,
            found => {
                return body.fault("standing", Fault::TooHigh { found: found.into(), max: 2 });
            }
        };
        let known = body.nodes("known", state.known, u64::MAX)?.into_iter().collect();
        Ok(Self { incarnation: state.incarnation, standing, known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::NodeId;

    /// Broken: a restarted node would take itself for another, or vote although it lost its disk.
    #[test]
    fn a_registry_comes_back() {
        for standing in [Standing::Asking, Standing::Admitted, Standing::Lost] {
            let known = [(NodeId(1), u64::MAX), (NodeId(4), 7)].into();
            let state = RegistryState { incarnation: 99, standing, known };
            assert_eq!(RegistryState::decode(state.encode()), Ok(state));
        }
        assert!(RegistryState::decode(Bytes::from_static(&[16, 3])).is_err());
    }
}
