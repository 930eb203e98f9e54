package tripline.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.state.CheckpointableKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Matches the events of keys, and in the second stage the alerts that come to keys as events: holds them back until the watermark has passed them, and then steps their keys.
 *
 * <p>Of each key it keeps one state as bytes, before them the time of the next deadline, and the events that wait. There is a
 * timer at the deadline, and one at the time of each event that waits. The timers that a watermark sets off say which keys
 * are due; these cross the boundary together, in batches, each once.
 */
final class MatchOperator extends AbstractStreamOperator<String>
        implements TwoInputStreamOperator<Tuple3<String, Long, byte[]>, Tuple3<Byte, Long, byte[]>, String>,
                Triggerable<String, VoidNamespace> {
    private static final long serialVersionUID = 1L;

    /** Keys that cross the boundary together, and bytes at which a batch is full whatever their number. */
    private static final int KEYS = 512;

    private static final int BYTES = 1 << 20;

    private final Rules rules;

    /** Whether this is the second stage: time alone begins nothing there. */
    private final boolean upper;

    private transient Task task;
    private transient Told told;
    private transient ValueState<byte[]> state;
    private transient ListState<byte[]> waiting;
    private transient InternalTimerService<VoidNamespace> timers;
    private transient long watermark;
    private transient List<String> due;
    private transient List<Long> dueDeadlines;
    private transient Set<String> stepped;
    private transient List<List<byte[]>> dueEvents;
    private transient ByteArrayOutputStream call;
    private transient Counter late;
    private transient Counter dropped;
    private transient Counter steps;
    private transient Counter alerts;

    MatchOperator(StreamOperatorParameters<String> parameters, Rules rules, boolean upper) {
        super(parameters);
        this.rules = rules;
        this.upper = upper;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        told = new Told(rules);
        told.restore(context.getOperatorStateStore());
        var bytes = PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        state = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("state", bytes));
        waiting = context.getKeyedStateStore().getListState(new ListStateDescriptor<>("waiting", bytes));
    }

    @Override
    public void open() throws Exception {
        super.open();
        task = told.open();
        timers = getInternalTimerService("deadlines", VoidNamespaceSerializer.INSTANCE, this);
        watermark = told.watermark();
        due = new ArrayList<>();
        dueDeadlines = new ArrayList<>();
        stepped = new HashSet<>();
        dueEvents = new ArrayList<>();
        call = new ByteArrayOutputStream();
        var group = getMetricGroup().addGroup("tripline");
        late = group.counter("lateEvents");
        dropped = group.counter("droppedStates");
        steps = group.counter("steps");
        alerts = group.counter("alerts");
        // Keys that are watched, seen or not, are stepped at the first watermark.
        armWatched(Long.MIN_VALUE + 1);
    }

    private void armWatched(long ms) throws Exception {
        var mine = ((CheckpointableKeyedStateBackend<?>) getKeyedStateBackend()).getKeyGroupRange();
        int groups = getRuntimeContext().getTaskInfo().getMaxNumberOfParallelSubtasks();
        for (String key : upper ? List.<String>of() : task.watched) {
            if (mine.contains(KeyGroupRangeAssignment.assignToKeyGroup(key, groups))) {
                setCurrentKey(key);
                timers.registerEventTimeTimer(VoidNamespace.INSTANCE, ms);
            }
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        told.save();
    }

    @Override
    public void processElement1(StreamRecord<Tuple3<String, Long, byte[]>> record) throws Exception {
        Tuple3<String, Long, byte[]> event = record.getValue();
        long ms = Item.ms(event.f1);
        if (ms <= watermark) {
            // Of an input that was idle, or read anew, and lags behind the others: its own newest event is none yet.
            late.inc();
            output.collect(Fan.LATE, new StreamRecord<>(task.eventText(event.f2)));
            return;
        }
        waiting.add(event.f2);
        timers.registerEventTimeTimer(VoidNamespace.INSTANCE, ms);
    }

    @Override
    public void processElement2(StreamRecord<Tuple3<Byte, Long, byte[]>> record) {
        told.tell(record.getValue());
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        Task next = told.next(task);
        if (next != null) {
            task.close();
            task = next;
            // What is new begins with this watermark.
            told.renew();
            armWatched(watermark + 1);
        }
        watermark = Math.max(watermark, mark.getTimestamp());
        told.come(watermark);
        stepped.clear();
        if (getTimeServiceManager().isPresent()) {
            getTimeServiceManager().get().advanceWatermark(mark);
        }
        step();
        output.emitWatermark(mark);
    }

    @Override
    public void onEventTime(InternalTimer<String, VoidNamespace> ring) throws Exception {
        if (!stepped.add(ring.getKey())) {
            return;
        }
        List<byte[]> events = new ArrayList<>();
        Iterable<byte[]> held = waiting.get();
        if (held != null) {
            held.forEach(events::add);
        }
        byte[] before = state.value();
        DataOutputStream out = new DataOutputStream(call);
        put(Task.key(ring.getKey()), out);
        if (before == null) {
            out.writeInt(0);
            dueDeadlines.add(Long.MAX_VALUE);
        } else {
            out.writeInt(before.length - Long.BYTES);
            out.write(before, Long.BYTES, before.length - Long.BYTES);
            dueDeadlines.add(ByteBuffer.wrap(before).getLong());
        }
        out.writeInt(events.size());
        for (byte[] event : events) {
            put(event, out);
        }
        due.add(ring.getKey());
        dueEvents.add(events);
        if (due.size() == KEYS || call.size() >= BYTES) {
            step();
        }
    }

    @Override
    public void onProcessingTime(InternalTimer<String, VoidNamespace> ring) {}

    private static void put(byte[] bytes, DataOutputStream out) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /** Steps the keys that are due. */
    private void step() throws Exception {
        if (due.isEmpty()) {
            return;
        }
        long newest = watermark == Long.MAX_VALUE ? told.end() : Task.NEVER_YET;
        ByteBuffer answer = task.step(told.start(), watermark, newest, call.toByteArray());
        steps.inc(due.size());
        for (int at = 0; at < due.size(); at++) {
            setCurrentKey(due.get(at));
            keep(dueDeadlines.get(at), dueEvents.get(at), answer);
            for (int n = answer.getInt(); n > 0; n--) {
                alerts.inc();
                output.collect(new StreamRecord<>(Task.text(answer)));
            }
            for (int n = answer.getInt(); n > 0; n--) {
                answer.getLong();
                output.collect(Fan.GATHER, new StreamRecord<>(Tuple2.of((byte) 0, Task.bytes(answer))));
            }
            for (int n = answer.getInt(); n > 0; n--) {
                long ns = answer.getLong();
                String key = Task.key(Task.bytes(answer));
                output.collect(Fan.UPPER, new StreamRecord<>(Tuple3.of(key, ns, Task.bytes(answer)), Item.ms(ns)));
            }
            dropped.inc(answer.getInt());
        }
        due.clear();
        dueDeadlines.clear();
        dueEvents.clear();
        call.reset();
    }

    /** Keeps what a step gave of the current key: its state, its next deadline, the events that still wait. */
    private void keep(long deadlineBefore, List<byte[]> events, ByteBuffer answer) throws Exception {
        int length = answer.getInt();
        int from = answer.position();
        answer.position(from + length);
        long deadline = answer.getLong();
        if (length == 0) {
            state.clear();
        } else {
            byte[] kept = new byte[Long.BYTES + length];
            ByteBuffer.wrap(kept).putLong(deadline).put(answer.array(), from, length);
            state.update(kept);
        }
        List<byte[]> rest = new ArrayList<>();
        for (int n = answer.getInt(); n > 0; n--) {
            rest.add(events.get(answer.getInt()));
        }
        if (!rest.isEmpty()) {
            waiting.update(rest);
        } else if (!events.isEmpty()) {
            waiting.clear();
        }
        if (deadline == deadlineBefore || watermark == Long.MAX_VALUE) {
            return;
        }
        if (deadlineBefore != Long.MAX_VALUE && deadlineBefore > watermark) {
            timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, deadlineBefore);
            for (byte[] event : rest) {
                // One that waits for the same time keeps its timer.
                timers.registerEventTimeTimer(VoidNamespace.INSTANCE, Task.time(event));
            }
        }
        if (deadline != Long.MAX_VALUE) {
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, deadline);
        }
    }

    @Override
    public void close() throws Exception {
        super.close();
        if (task != null) {
            task.close();
        }
    }
}
