package tripline.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/**
 * Sends what a source gives where it belongs: events on to their keys, others to the gatherer, late lines out; and tells
 * everybody behind where time began, which rules there are, and, when the input has ended, how far it came.
 */
final class Fan extends AbstractStreamOperator<Tuple3<String, Long, byte[]>>
        implements OneInputStreamOperator<Tuple4<Byte, Long, String, byte[]>, Tuple3<String, Long, byte[]>> {
    private static final long serialVersionUID = 1L;

    /** Key, event time in nanoseconds, event. */
    static final TypeInformation<Tuple3<String, Long, byte[]>> EVENT =
            TypeInformation.of(new TypeHint<Tuple3<String, Long, byte[]>>() {});

    /** Events, and alerts as events, for keys of the second stage. */
    static final OutputTag<Tuple3<String, Long, byte[]>> UPPER = new OutputTag<>("upper", EVENT);

    /** For the gatherer: 0 a draft, 1 an event, and its bytes. */
    static final OutputTag<Tuple2<Byte, byte[]>> GATHER =
            new OutputTag<>("gather", TypeInformation.of(new TypeHint<Tuple2<Byte, byte[]>>() {}));

    /** Lines that came too late. */
    static final OutputTag<String> LATE = new OutputTag<>("late", Types.STRING);

    /** What {@link Told} is told: a kind, a time in nanoseconds or the number of rules, the rules. */
    static final OutputTag<Tuple3<Byte, Long, byte[]>> TOLD =
            new OutputTag<>("told", TypeInformation.of(new TypeHint<Tuple3<Byte, Long, byte[]>>() {}));

    private static final byte[] NOTHING = new byte[0];

    private long newest = Task.NEVER_YET;
    private transient ListState<Long> kept;

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        // Each value goes to one task, and each task tells its own: a state that goes to all would keep Flink from making
        // checkpoints once some inputs have ended.
        kept = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("newest-of-task", Types.LONG));
        for (Long before : kept.get()) {
            newest = Math.max(newest, before);
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        kept.clear();
        kept.add(newest);
    }

    @Override
    public void processElement(StreamRecord<Tuple4<Byte, Long, String, byte[]>> record) {
        Tuple4<Byte, Long, String, byte[]> item = record.getValue();
        switch (item.f0) {
            case Item.EVENT -> output.collect(new StreamRecord<>(Tuple3.of(item.f2, item.f1, item.f3), Item.ms(item.f1)));
            case Item.GATHER -> output.collect(GATHER, new StreamRecord<>(Tuple2.of((byte) 1, item.f3)));
            case Item.LATE -> output.collect(
                    LATE, new StreamRecord<>(new String(item.f3, java.nio.charset.StandardCharsets.UTF_8)));
            case Item.UPPER -> output.collect(
                    UPPER, new StreamRecord<>(Tuple3.of(item.f2, item.f1, item.f3), Item.ms(item.f1)));
            case Item.START -> output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.START, item.f1, NOTHING)));
            case Item.RULES -> output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.RULES, item.f1, item.f3)));
            default -> newest = Math.max(newest, item.f1);
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        // What is told must be there before the end of time is.
        if (mark.getTimestamp() == Long.MAX_VALUE && newest != Task.NEVER_YET) {
            output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.END, newest, NOTHING)));
        }
        super.processWatermark(mark);
    }
}
