//! The dependency node, on the classic path.

use crate::metrics::HoldMetrics;
use crate::role_loop::Driven;
use crate::status::Published;
use althing_dependency::DependencyNode;
use althing_model::Micros;
use althing_wire::{Address, DependencyRecord, Effects, Ignored, Message};
use std::sync::Arc;

pub(crate) struct DrivenDependency {
    dependency: DependencyNode,
    metrics: HoldMetrics,
    published: Arc<Published>,
}

impl DrivenDependency {
    pub(crate) fn new(dependency: DependencyNode, published: Arc<Published>) -> Self {
        Self { dependency, metrics: HoldMetrics::new(Self::NAME), published }
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
        self.published.set_vertices(Self::NAME, self.dependency.len() as u64);
    }
}
