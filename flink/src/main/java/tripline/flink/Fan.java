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
 *
 * <p>A record costs Flink more than the events in it, and nothing happens to an event before the watermark has passed it:
 * so events for keys are sent when a watermark, a checkpoint or the end comes, or when there are many, all of a key group
 * in one record.
 */
final class Fan extends AbstractStreamOperator<Tuple3<String, Integer, byte[]>>
        implements OneInputStreamOperator<Tuple4<Byte, Long, String, byte[]>, Tuple3<String, Integer, byte[]>> {
    private static final long serialVersionUID = 1L;

    /** A key that stands for its key group, how many groups there are, events for keys of the group. */
    static final TypeInformation<Tuple3<String, Integer, byte[]>> BLOCK =
            TypeInformation.of(new TypeHint<Tuple3<String, Integer, byte[]>>() {});

    /** Events, and alerts as events, for keys of the second stage. */
    static final OutputTag<Tuple3<String, Integer, byte[]>> UPPER = new OutputTag<>("upper", BLOCK);

    /** For the gatherer: 0 a draft, 1 an event, and its bytes. */
    static final OutputTag<Tuple2<Byte, byte[]>> GATHER =
            new OutputTag<>("gather", TypeInformation.of(new TypeHint<Tuple2<Byte, byte[]>>() {}));

    /** Lines that came too late. */
    static final OutputTag<String> LATE = new OutputTag<>("late", Types.STRING);

    /** What {@link Told} is told: a kind, a time in nanoseconds or the number of rules, the rules. */
    static final OutputTag<Tuple3<Byte, Long, byte[]>> TOLD =
            new OutputTag<>("told", TypeInformation.of(new TypeHint<Tuple3<Byte, Long, byte[]>>() {}));

    private static final byte[] NOTHING = new byte[0];

    /** Bytes at which events are sent whether time goes on or not. */
    private static final int FULL = 4 << 20;

    private long newest = Task.NEVER_YET;
    private transient ListState<Long> kept;

    /** Has the events that have not been sent yet. */
    private transient Sorter sorter;

    private transient KeyGroups groups;

    @Override
    public void open() throws Exception {
        super.open();
        groups = new KeyGroups(getRuntimeContext().getTaskInfo().getMaxNumberOfParallelSubtasks());
        sorter = new Sorter(groups.count());
    }

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
            case Item.BLOCK -> add(item.f3);
            case Item.GATHER -> output.collect(GATHER, new StreamRecord<>(Tuple2.of((byte) 1, item.f3)));
            case Item.LATE -> output.collect(
                    LATE, new StreamRecord<>(new String(item.f3, java.nio.charset.StandardCharsets.UTF_8)));
            case Item.START -> output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.START, item.f1, NOTHING)));
            case Item.RULES -> output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.RULES, item.f1, item.f3)));
            default -> newest = Math.max(newest, item.f1);
        }
    }

    private void add(byte[] events) {
        sorter.add(events);
        if (sorter.length() >= FULL) {
            send();
        }
    }

    /** Sends what waits: a record for each key group that it is for. */
    private void send() {
        sorter.give((upper, group, block) -> {
            if (upper) {
                output.collect(UPPER, groups.record(group, block));
            } else {
                output.collect(groups.record(group, block));
            }
        });
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpoint) {
        send();
    }

    @Override
    public void finish() throws Exception {
        send();
        super.finish();
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        send();
        // What is told must be there before the end of time is.
        if (mark.getTimestamp() == Long.MAX_VALUE && newest != Task.NEVER_YET) {
            output.collect(TOLD, new StreamRecord<>(Tuple3.of(Told.END, newest, NOTHING)));
        }
        super.processWatermark(mark);
    }

    @Override
    public void close() throws Exception {
        super.close();
        if (sorter != null) {
            sorter.close();
        }
    }
}
