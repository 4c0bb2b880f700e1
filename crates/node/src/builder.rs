//! What a program that embeds a node says about it.

use crate::config::{Config, ConfigFile};
use crate::handle::NodeHandle;
use crate::start::{Node, StartError};
use althing_model::{Conflicts, StateMachine};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Puts a node together. See [`Node::builder`].
#[derive(Default)]
#[must_use = "nothing runs before `start`"]
pub struct NodeBuilder {
    config: Option<Source>,
    machine: Option<Box<dyn StateMachine>>,
    conflicts: Option<Arc<dyn Conflicts>>,
}

/// Where the configuration comes from. It is looked at when the node is started, so that every error
/// comes from there.
enum Source {
    File(PathBuf),
    Made { file: Box<ConfigFile>, base: PathBuf },
}

impl Node {
    /// A node within this program, with a state machine and a conflict function of your own:
    ///
    /// ```no_run
    /// # use althing_model::{Conflicts, StateMachine};
    /// # async fn run(my_machine: impl StateMachine + 'static, my_conflicts: impl Conflicts + 'static)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use althing_node::Node;
    ///
    /// let node = Node::builder()
    ///     .config_file("node-0.toml")
    ///     .state_machine(my_machine)
    ///     .conflicts(my_conflicts)
    ///     .start()?;
    /// tokio::select! {
    ///     failed = node.failed() => return Err(failed.into()),
    ///     _ = tokio::signal::ctrl_c() => node.shutdown().await?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Call [`crate::abort_on_panic`] at the beginning of `main`, so that a failed assertion ends the
    /// process: a node that goes on without one of its threads promises what it cannot keep.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }
}

impl NodeBuilder {
    /// The configuration in a TOML file; relative paths in it are relative to it.
    pub fn config_file(mut self, file: impl AsRef<Path>) -> Self {
        self.config = Some(Source::File(file.as_ref().to_owned()));
        self
    }

    /// A configuration made by the program, say from [`ConfigFile::example`]; relative paths in it
    /// are relative to `base`.
    pub fn config(mut self, file: ConfigFile, base: impl AsRef<Path>) -> Self {
        let base = base.as_ref().to_owned();
        self.config = Some(Source::Made { file: Box::new(file), base });
        self
    }

    /// What is replicated, in its first state. It must be the same on every node.
    pub fn state_machine(mut self, machine: impl StateMachine + 'static) -> Self {
        self.machine = Some(Box::new(machine));
        self
    }

    /// What each command touches. It must be the same on every node.
    pub fn conflicts(mut self, conflicts: impl Conflicts + 'static) -> Self {
        self.conflicts = Some(Arc::new(conflicts));
        self
    }

    /// Starts the node: see [`Node::start`].
    ///
    /// # Errors
    /// See [`StartError`]; [`StartError::Incomplete`] when one of the three parts was not given.
    pub fn start(self) -> Result<NodeHandle, StartError> {
        let source = self.config.ok_or(StartError::Incomplete("config_file"))?;
        let machine = self.machine.ok_or(StartError::Incomplete("state_machine"))?;
        let conflicts = self.conflicts.ok_or(StartError::Incomplete("conflicts"))?;
        let config = match source {
            Source::File(file) => Config::load(&file)?,
            Source::Made { file, base } => Config::from_file(&file, &base)?,
        };
        Node::start(config, machine, conflicts)
    }
}

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("has_config", &self.config.is_some())
            .field("has_machine", &self.machine.is_some())
            .field("has_conflicts", &self.conflicts.is_some())
            .finish()
    }
}
