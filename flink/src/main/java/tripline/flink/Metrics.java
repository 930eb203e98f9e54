package tripline.flink;

import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/** The names under which Flink shows counts. */
final class Metrics {
    private Metrics() {}

    static void input(MetricGroup group, Item.Counts counts) {
        MetricGroup tripline = group.addGroup("tripline");
        tripline.gauge("events", (Gauge<Long>) () -> counts.events);
        tripline.gauge("rejectedLines", (Gauge<Long>) () -> counts.rejected);
        tripline.gauge("lateEvents", (Gauge<Long>) () -> counts.late);
    }
}
