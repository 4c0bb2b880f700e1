//! `latency-<run>.hlog`: the histograms themselves, lossless, as HdrHistogram's interval logs.
//!
//! One interval for each region, tagged with its name: the second version of the histograms'
//! serialisation, deflated, in base64. HdrHistogram's tools in every language read it (its
//! `HistogramLogProcessor` prints percentiles, its log analyzer draws them), and so does
//! `hdrhistogram::serialization::interval_log`. Values are in microseconds.

use super::series::{file_name, unused};
use crate::Run;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use std::io;
use std::time::{Duration, SystemTime};

/// The whole file of a run.
pub(super) fn text(run: &Run, heading: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]");
    builder.add_comment(heading);
    builder.add_comment("latencies in microseconds; the maxima of the lines in milliseconds");
    // Runs have their own time, which begins at 0.
    builder.with_base_time(SystemTime::UNIX_EPOCH);
    builder.with_max_value_divisor(1e3);
    let mut log = builder.begin_log_with(&mut text, &mut serializer)?;
    let duration = Duration::try_from_secs_f64(run.seconds).unwrap_or_default();
    for (region, tag) in run.regions.iter().zip(tags(run)) {
        let tag = Tag::new(&tag).expect("letters, digits and hyphens are fit for a tag");
        log.write_histogram(&region.latency, Duration::ZERO, duration, Some(tag)).map_err(
            |error| match error {
                IntervalLogWriterError::IoError(error) => error,
                other => io::Error::other(format!("{other:?}")),
            },
        )?;
    }
    Ok(text)
}

/// The names of the regions, fit for tags, each different.
fn tags(run: &Run) -> Vec<String> {
    let mut tags = Vec::new();
    for region in &run.regions {
        tags.push(unused(file_name(&region.name), &tags));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    /// Broken: the latencies cannot be had back as they were, or a region's are taken for another's.
    #[test]
    fn reads_back_to_the_histograms() {
        let mut results = sample::sweep(&[10.0]);
        let run = &mut results.runs[0];
        run.regions[1].name = "us, west\n1".to_owned();
        run.regions[4].latency.reset();
        let text = text(run, "a\nTag=b,0,0,0,c").unwrap();
        let intervals = IntervalLogIterator::new(&text).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(interval),
            LogEntry::StartTime(_) | LogEntry::BaseTime(_) => None,
        });
        let read: Vec<(String, Histogram<u64>)> = intervals
            .map(|interval| {
                let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
                let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                (interval.tag().unwrap().as_str().to_owned(), histogram)
            })
            .collect();
        assert_eq!(read[1].0, "us-west-1");
        assert_eq!(read.len(), run.regions.len());
        for ((_, histogram), region) in read.iter().zip(&run.regions) {
            assert_eq!(histogram, &region.latency);
        }
    }
}
