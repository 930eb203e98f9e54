package tripline.flink;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.java.tuple.Tuple4;

/**
 * The watermark of one input: its newest event time less the lateness. The first is given at once, since time begins there;
 * others as often as Flink is set to.
 */
final class Lateness implements WatermarkGenerator<Tuple4<Byte, Long, String, byte[]>> {
    private final long latenessMs;
    private long newest = Long.MIN_VALUE;

    private Lateness(long latenessMs) {
        this.latenessMs = latenessMs;
    }

    static WatermarkStrategy<Tuple4<Byte, Long, String, byte[]>> strategy(long latenessMs) {
        return WatermarkStrategy.<Tuple4<Byte, Long, String, byte[]>>forGenerator(context -> new Lateness(latenessMs))
                .withTimestampAssigner((item, time) -> Item.ms(item.f1));
    }

    @Override
    public void onEvent(Tuple4<Byte, Long, String, byte[]> item, long timestamp, WatermarkOutput output) {
        if (item.f0 == Item.START) {
            output.emitWatermark(new Watermark(Item.ms(item.f1) - 1));
        } else if (item.f0 == Item.MARK) {
            newest = Math.max(newest, timestamp);
        }
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {
        if (newest != Long.MIN_VALUE) {
            output.emitWatermark(new Watermark(newest - latenessMs - 1));
        }
    }
}
