package tripline.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * Where time began, and how far it has come: what an operator behind the shuffle cannot see in its own events.
 *
 * <p>Every input says where it begins before its first watermark, so all have said it when the first watermark of an
 * operator comes. What is told once more after that, by inputs that begin later, is passed over.
 */
final class Told {
    static final byte START = 0;
    static final byte END = 1;

    private long start = Task.NEVER_YET;
    private long newest = Task.NEVER_YET;
    private long watermark = Task.NEVER_YET;

    /** What was restored had begun: what is new now begins at the next watermark. */
    private boolean resumed;

    private boolean begun;
    private ListState<Long> kept;

    void restore(OperatorStateStore store) throws Exception {
        kept = store.getUnionListState(new ListStateDescriptor<>("told", Types.LONG));
        int at = 0;
        for (Long value : kept.get()) {
            switch (at++ % 4) {
                case 0 -> start = start == Task.NEVER_YET ? value : Math.min(start, value);
                case 1 -> newest = Math.max(newest, value);
                case 2 -> watermark = Math.max(watermark, value);
                default -> resumed |= value != 0;
            }
        }
    }

    void save() throws Exception {
        kept.clear();
        kept.add(start);
        kept.add(newest);
        kept.add(watermark);
        kept.add(begun || resumed ? 1L : 0L);
    }

    void tell(Tuple2<Byte, Long> what) {
        if (what.f0 == END) {
            newest = Math.max(newest, what.f1);
        } else if (!begun && !resumed) {
            start = start == Task.NEVER_YET ? what.f1 : Math.min(start, what.f1);
        }
    }

    /** Time has come to a watermark. */
    void come(long watermark) {
        if (!begun && watermark != Long.MAX_VALUE) {
            begun = true;
            if (resumed || start == Task.NEVER_YET) {
                start = Math.multiplyExact(watermark + 1, 1_000_000L);
            }
        }
        if (watermark != Long.MAX_VALUE) {
            this.watermark = Math.max(this.watermark, watermark);
        }
    }

    /** How far time had come, here or before a restart: no event of this time or earlier is taken any more. */
    long watermark() {
        return watermark;
    }

    /** The rules have changed: what is new begins at the next watermark. */
    void renew() {
        if (begun) {
            begun = false;
            resumed = true;
        }
    }

    /** Where time began, in nanoseconds. */
    long start() {
        return start;
    }

    /** The newest event time once the input has ended; a host that was stopped knows no more than its watermark. */
    long end() {
        long reached = watermark == Task.NEVER_YET ? Task.NEVER_YET : (watermark + 1) * 1_000_000L;
        return Math.max(newest, reached);
    }
}
