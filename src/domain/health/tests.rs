//! Every term of every score.

use proptest::prelude::*;

use super::*;

/// All eight inputs known and nothing wrong.
fn healthy() -> HealthInputs {
    HealthInputs {
        offline_partitions: Some(0.0),
        under_replicated_partitions: Some(0.0),
        cpu_mean_percent: Some(50.0),
        memory_mean_percent: Some(50.0),
        disk_max_percent: Some(50.0),
        error_rate_percent: Some(0.0),
        handler_idle_mean_percent: Some(80.0),
        brokers_offline: Some(0.0),
        brokers_total: Some(3.0),
    }
}

#[test]
fn each_term_of_the_cluster_score() {
    type Change = fn(&mut HealthInputs);
    let cases: &[(&str, Change, u8)] = &[
        ("healthy", |_| {}, 100),
        ("offline partition", |i| i.offline_partitions = Some(1.0), 70),
        ("many offline partitions", |i| i.offline_partitions = Some(500.0), 70),
        ("3 under-replicated", |i| i.under_replicated_partitions = Some(3.0), 94),
        ("10 under-replicated", |i| i.under_replicated_partitions = Some(10.0), 80),
        ("99 under-replicated", |i| i.under_replicated_partitions = Some(99.0), 80),
        ("cpu at the limit", |i| i.cpu_mean_percent = Some(80.0), 100),
        ("cpu 82: 1.5, half up", |i| i.cpu_mean_percent = Some(82.0), 99),
        ("cpu 84", |i| i.cpu_mean_percent = Some(84.0), 97),
        ("cpu 100", |i| i.cpu_mean_percent = Some(100.0), 85),
        ("memory 85", |i| i.memory_mean_percent = Some(85.0), 100),
        ("memory 100: 11.25", |i| i.memory_mean_percent = Some(100.0), 89),
        ("disk 90", |i| i.disk_max_percent = Some(90.0), 100),
        ("disk 95", |i| i.disk_max_percent = Some(95.0), 90),
        ("disk 100", |i| i.disk_max_percent = Some(100.0), 80),
        ("errors 5", |i| i.error_rate_percent = Some(5.0), 100),
        ("errors 6", |i| i.error_rate_percent = Some(6.0), 88),
        ("errors 50", |i| i.error_rate_percent = Some(50.0), 80),
        ("idle 20", |i| i.handler_idle_mean_percent = Some(20.0), 100),
        ("idle 19.9", |i| i.handler_idle_mean_percent = Some(19.9), 90),
        ("1 of 10 brokers", |i| (i.brokers_offline, i.brokers_total) = (Some(1.0), Some(10.0)), 90),
        ("1 of 3 brokers", |i| i.brokers_offline = Some(1.0), 70),
        ("3 of 3 brokers", |i| i.brokers_offline = Some(3.0), 70),
    ];
    for (name, change, expected) in cases {
        let mut inputs = healthy();
        change(&mut inputs);
        let got = health_score(&inputs);
        assert_eq!((got.score, got.confidence), (*expected, 1.0), "{name}");
    }
}

#[test]
fn extremes() {
    let worst = HealthInputs {
        offline_partitions: Some(9.0),
        under_replicated_partitions: Some(99.0),
        cpu_mean_percent: Some(100.0),
        memory_mean_percent: Some(100.0),
        disk_max_percent: Some(100.0),
        error_rate_percent: Some(100.0),
        handler_idle_mean_percent: Some(0.0),
        brokers_offline: Some(3.0),
        brokers_total: Some(3.0),
    };
    assert_eq!(health_score(&worst), HealthScore { score: 0, confidence: 1.0 });

    let none = HealthInputs { brokers_total: Some(0.0), ..healthy() };
    assert_eq!(health_score(&none), HealthScore { score: 0, confidence: 0.0 });

    let unknown = health_score(&HealthInputs::default());
    assert_eq!(unknown, HealthScore { score: 100, confidence: 0.0 });

    let three = HealthInputs {
        offline_partitions: Some(1.0),
        brokers_offline: Some(0.0),
        brokers_total: Some(3.0),
        cpu_mean_percent: Some(10.0),
        ..HealthInputs::default()
    };
    assert_eq!(health_score(&three), HealthScore { score: 70, confidence: 3.0 / 8.0 });
}

#[test]
fn broker_score() {
    let gib = 1_073_741_824.0;
    let cases = [
        (None, None, None, None, None),
        (Some(0.0), Some(80.0), Some(30.0 * gib), Some(20.0), Some(100)),
        (Some(1.0), None, None, None, Some(90)),
        (Some(9.0), None, None, None, Some(70)),
        (None, Some(95.5), None, None, Some(85)),
        (None, Some(100.0), None, None, Some(80)),
        (None, None, Some(31.0 * gib), None, Some(90)),
        (None, None, None, Some(10.0), Some(85)),
        (Some(9.0), Some(100.0), Some(31.0 * gib), Some(0.0), Some(25)),
    ];
    for (urp, cpu, memory, idle, expected) in cases {
        let inputs = BrokerHealthInputs {
            under_replicated_partitions: urp,
            cpu_percent: cpu,
            memory_used_bytes: memory,
            handler_idle_percent: idle,
        };
        assert_eq!(broker_health(&inputs), expected, "{inputs:?}");
    }
}

#[test]
fn group_score() {
    let all = GroupHealthInputs::default();
    let cases = [
        (all, None),
        (GroupHealthInputs { lag_messages: Some(100.0), ..all }, Some(100)),
        (GroupHealthInputs { lag_messages: Some(101.0), ..all }, Some(90)),
        (GroupHealthInputs { lag_messages: Some(1_001.0), ..all }, Some(80)),
        (GroupHealthInputs { lag_messages: Some(10_001.0), ..all }, Some(60)),
        (GroupHealthInputs { consumption_rate: Some(0.0), ..all }, Some(70)),
        (GroupHealthInputs { consumption_rate: Some(0.1), ..all }, Some(100)),
        (GroupHealthInputs { rebalance_rate: Some(0.2), ..all }, Some(85)),
        (GroupHealthInputs { stable: Some(false), ..all }, Some(85)),
        (GroupHealthInputs { stable: Some(true), ..all }, Some(100)),
        (
            GroupHealthInputs { members_active: Some(9.0), members_total: Some(10.0), ..all },
            Some(90),
        ),
        (
            GroupHealthInputs { members_active: Some(1.0), members_total: Some(4.0), ..all },
            Some(80),
        ),
        (GroupHealthInputs { members_active: Some(0.0), members_total: Some(0.0), ..all }, None),
    ];
    for (inputs, expected) in cases {
        assert_eq!(group_health(&inputs), expected, "{inputs:?}");
    }
}

fn known() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(0.0..120.0_f64)
}

proptest! {
    #[test]
    fn knowing_more_never_raises_the_score(
        values in proptest::array::uniform7(known()),
        brokers in proptest::option::of((0.0..5.0_f64, 1.0..9.0_f64)),
        hidden in 0..8_usize,
    ) {
        let of = |values: [Option<f64>; 7], brokers: Option<(f64, f64)>| {
            health_score(&HealthInputs {
                offline_partitions: values[0],
                under_replicated_partitions: values[1],
                cpu_mean_percent: values[2],
                memory_mean_percent: values[3],
                disk_max_percent: values[4],
                error_rate_percent: values[5],
                handler_idle_mean_percent: values[6],
                brokers_offline: brokers.map(|pair| pair.0),
                brokers_total: brokers.map(|pair| pair.1),
            })
        };
        let full = of(values, brokers);
        let (mut fewer, mut fewer_brokers) = (values, brokers);
        match fewer.get_mut(hidden) {
            Some(value) => *value = None,
            None => fewer_brokers = None,
        }
        let less = of(fewer, fewer_brokers);
        prop_assert!(full.score <= 100);
        prop_assert!(less.score >= full.score);
        prop_assert!(less.confidence <= full.confidence);
    }
}
