//! The dependency node, on the classic path.

use crate::metrics::HoldMetrics;
use crate::role_loop::Driven;
use althing_dependency::DependencyNode;
use althing_model::Micros;
use althing_wire::{Address, DependencyRecord, Effects, Ignored, Message};

pub(crate) struct DrivenDependency {
    dependency: DependencyNode,
    metrics: HoldMetrics,
}

impl DrivenDependency {
    pub(crate) fn new(dependency: DependencyNode) -> Self {
        Self { dependency, metrics: HoldMetrics::new(Self::NAME) }
    }
}

impl Driven for DrivenDependency {
    type Record = DependencyRecord;
    const NAME: &'static str = "dependency";

    fn handle(
        &mut self,
        _now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
        self.dependency.handle(from, message, effects)
    }

    fn publish(&mut self, _now: Micros) {
        self.metrics.publish(self.dependency.len());
    }
}
