//! How the pipeline and the world around it are set up.

use super::{Step, given};

pub(super) const STEPS: &[Step] = &[
    given(
        "the clock shows {value} at the start",
        "Wall-clock time of the begin, as RFC 3339 has it.",
        |story, args| story.set("start", args.json(0)?),
    ),
    given(
        "every link takes {duration} each way",
        "Latency of the whole network.",
        |story, args| story.set("network.latency", args.time(0)?),
    ),
    given(
        "deliveries take up to {duration} more",
        "Jitter of the whole network.",
        |story, args| story.set("network.jitter", args.time(0)?),
    ),
    given("the pipeline collects every {duration}", "Time between two cycles.", |story, args| {
        story.set("pipeline.interval", args.time(0)?)
    }),
    given(
        "the pipeline reports to account {count}",
        "New Relic's number of the account.",
        |story, args| story.set("pipeline.account_id", args.count(0)?),
    ),
    given(
        "the pipeline's environment is {string}",
        "Value of the attribute `environment`.",
        |story, args| story.set("pipeline.environment", args.text(0)?),
    ),
    given(
        "the pipeline sends up to {count} event(s) per request",
        "Size of a chunk.",
        |story, args| story.set("pipeline.batch_events", args.count(0)?),
    ),
    given(
        "the pipeline sends up to {size} per request",
        "The same in bytes, before compression.",
        |story, args| story.set("pipeline.batch_bytes", args.text(0)?),
    ),
    given(
        "the pipeline holds up to {count} event(s) in memory alone",
        "What is beyond waits on disk, or is dropped and counted.",
        |story, args| story.set("pipeline.buffer_events", args.count(0)?),
    ),
    given(
        "the pipeline holds up to {size} of events in memory",
        "The same in bytes, of all events.",
        |story, args| story.set("pipeline.memory_max", args.text(0)?),
    ),
    given(
        "the pipeline waits for a broker's answer for up to {duration}",
        "Then the question counts as not answered.",
        |story, args| story.set("pipeline.request_timeout", args.time(0)?),
    ),
    given("the pipeline has no spool", "Events wait in memory alone.", |story, _| {
        story.set("pipeline.spool", false)
    }),
    given(
        "the pipeline tells which brokers serve each topic",
        "Relationships SERVES, which are left out otherwise.",
        |story, _| story.set("pipeline.serves", true),
    ),
    given(
        "the spool holds up to {size}",
        "Beyond it the oldest events are given up.",
        |story, args| story.set("pipeline.spool_size_max", args.text(0)?),
    ),
    given(
        "the spool keeps events for up to {duration}",
        "Older ones are given up.",
        |story, args| story.set("pipeline.spool_age_max", args.time(0)?),
    ),
    given(
        "the breaker opens after {count} failure(s) in a row",
        "The one in front of New Relic.",
        |story, args| story.set("pipeline.event_api.failure_threshold", args.count(0)?),
    ),
    given(
        "the breaker closes after {count} success(es) in a row",
        "Of its probes.",
        |story, args| story.set("pipeline.event_api.success_threshold", args.count(0)?),
    ),
    given(
        "the breaker stays open for {duration}",
        "Then it lets a probe through.",
        |story, args| story.set("pipeline.event_api.retry_delay", args.time(0)?),
    ),
    given(
        "entities become visible after {duration} at the earliest",
        "How fast New Relic makes an entity of its first event.",
        |story, args| story.set("newrelic.synthesis_lag_min", args.time(0)?),
    ),
    given(
        "entities become visible after {duration} at the latest",
        "How slowly it may.",
        |story, args| story.set("newrelic.synthesis_lag_max", args.time(0)?),
    ),
    given(
        "the setting {setting} is {value}",
        "Any key of a scenario file, for what has no words of its own.",
        |story, args| story.set(&args.text(0)?, args.json(1)?),
    ),
];
