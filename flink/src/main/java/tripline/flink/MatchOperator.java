package tripline.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
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
 * Matches the events of keys, and in the second stage the alerts that come to keys as events: holds them back until the
 * watermark has passed them, and then steps their keys.
 *
 * <p>The library keeps the keys that were used last, and Flink all others: of each one state as bytes, before them the time
 * of its timer, and the events that wait. What Flink has of a key that the library keeps is old, until the library puts the
 * key back: before a checkpoint all that have changed, and some when there are too many. A key that is not there is read
 * from Flink's state when its turn comes, because of an event or of a timer that Flink has for it. So what checkpoints hold
 * does not depend on which keys the library kept.
 */
final class MatchOperator extends AbstractStreamOperator<String>
        implements TwoInputStreamOperator<Tuple3<String, Integer, byte[]>, Tuple3<Byte, Long, byte[]>, String>,
                Triggerable<String, VoidNamespace> {
    private static final long serialVersionUID = 1L;

    /** Bytes of keys that are handed over at once: names of which timers rang, or what Flink has of keys. */
    private static final int BYTES = 1 << 18;

    private final Rules rules;
    private final Bounds bounds;

    /** Whether this is the second stage: time alone begins nothing there. */
    private final boolean upper;

    private transient Task task;
    private transient Told told;
    private transient ValueState<byte[]> state;
    private transient ListState<byte[]> waiting;
    private transient InternalTimerService<VoidNamespace> timers;
    private transient KeyGroups groups;
    private transient boolean restored;
    private transient long watermark;
    /** The keys whose timers rang. */
    private transient ByteArrayOutputStream rung;
    private transient Counts counts;
    private transient Counter late;
    private transient Counter alerts;

    MatchOperator(StreamOperatorParameters<String> parameters, Rules rules, Bounds bounds, boolean upper) {
        super(parameters);
        this.rules = rules;
        this.bounds = bounds;
        this.upper = upper;
    }

    /** What {@link Task#step} counts, over all rule sets that there were. */
    private static final class Counts {
        private static final List<String> NAMES = List.of("steps", "droppedStates", "loadedKeys", "evictedKeys");

        private final List<Counter> counters = new ArrayList<>();
        private final long[] seen = new long[NAMES.size()];
        private long ready;

        Counts(org.apache.flink.metrics.MetricGroup group) {
            NAMES.forEach(name -> counters.add(group.counter(name)));
            group.gauge("readyKeys", (Gauge<Long>) () -> ready);
        }

        void take(ByteBuffer answer) {
            for (int at = 0; at < seen.length; at++) {
                long now = answer.getLong();
                counters.get(at).inc(now - seen[at]);
                seen[at] = now;
            }
            ready = answer.getLong();
        }

        /** Another task begins at zero. */
        void anew() {
            java.util.Arrays.fill(seen, 0);
        }
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        restored = context.isRestored();
        told = new Told(rules);
        told.restore(context.getOperatorStateStore());
        var bytes = PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        state = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("state", bytes));
        waiting = context.getKeyedStateStore().getListState(new ListStateDescriptor<>("waiting", bytes));
    }

    @Override
    public void open() throws Exception {
        super.open();
        groups = new KeyGroups(getRuntimeContext().getTaskInfo().getMaxNumberOfParallelSubtasks());
        task = told.open();
        task.hold(bounds, groups.count(), !restored);
        timers = getInternalTimerService("deadlines", VoidNamespaceSerializer.INSTANCE, this);
        watermark = told.watermark();
        rung = new ByteArrayOutputStream();
        var group = getMetricGroup().addGroup("tripline");
        counts = new Counts(group);
        late = group.counter("lateEvents");
        alerts = group.counter("alerts");
        // Keys that are watched, seen or not, are stepped at the first watermark.
        armWatched(Long.MIN_VALUE + 1);
    }

    private void armWatched(long ms) throws Exception {
        var mine = ((CheckpointableKeyedStateBackend<?>) getKeyedStateBackend()).getKeyGroupRange();
        for (String key : upper ? List.<String>of() : task.watched) {
            if (mine.contains(KeyGroupRangeAssignment.assignToKeyGroup(key, groups.count()))) {
                setCurrentKey(key);
                timers.registerEventTimeTimer(VoidNamespace.INSTANCE, ms);
            }
        }
    }

    /** Before the checkpoint and not in it: some of Flink's timers are written before an operator is asked for its state. */
    @Override
    public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
        putBack(Task.CHECKPOINT);
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        told.save();
    }

    @Override
    public void processElement1(StreamRecord<Tuple3<String, Integer, byte[]>> record) throws Exception {
        Tuple3<String, Integer, byte[]> block = record.getValue();
        if (block.f1 != groups.count()) {
            throw new IllegalStateException("events were sorted for " + block.f1 + " key groups, and this task has "
                    + groups.count() + ": set pipeline.max-parallelism, so that all parts of the job have the same");
        }
        ByteBuffer lateOnes = task.feed(watermark, block.f2);
        while (lateOnes.hasRemaining()) {
            // Of an input that was idle, or read anew, and lags behind the others: its own newest event is none yet.
            late.inc();
            output.collect(Fan.LATE, new StreamRecord<>(Task.text(lateOnes)));
        }
        putBack(Task.ROOM);
    }

    @Override
    public void processElement2(StreamRecord<Tuple3<Byte, Long, byte[]>> record) {
        told.tell(record.getValue());
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        Task next = told.next(task);
        if (next != null) {
            putBack(Task.LEAVE);
            task.close();
            task = next;
            task.hold(bounds, groups.count(), false);
            counts.anew();
            // What is new begins with this watermark.
            told.renew();
            armWatched(watermark + 1);
        }
        watermark = Math.max(watermark, mark.getTimestamp());
        told.come(watermark);
        if (getTimeServiceManager().isPresent()) {
            getTimeServiceManager().get().advanceWatermark(mark);
        }
        step();
        output.emitWatermark(mark);
    }

    @Override
    public void onEventTime(InternalTimer<String, VoidNamespace> ring) throws Exception {
        put(Task.key(ring.getKey()), new DataOutputStream(rung));
        if (rung.size() >= BYTES) {
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
        long newest = watermark == Long.MAX_VALUE ? told.end() : Task.NEVER_YET;
        ByteBuffer needed = task.due(watermark, newest, rung.toByteArray());
        rung.reset();
        load(needed);
        ByteBuffer answer = task.step(told.start(), watermark, newest);
        counts.take(answer);
        for (int end = answer.getInt() + answer.position(); answer.position() < end; ) {
            alerts.inc();
            output.collect(new StreamRecord<>(Task.text(answer)));
        }
        for (int end = answer.getInt() + answer.position(); answer.position() < end; ) {
            output.collect(Fan.GATHER, new StreamRecord<>(Tuple2.of((byte) 0, Task.bytes(answer))));
        }
        while (answer.hasRemaining()) {
            output.collect(Fan.UPPER, groups.record(answer.getInt(), Task.bytes(answer)));
        }
        putBack(Task.ROOM);
    }

    /** Hands over what Flink has of keys; there it stays until they are put back. */
    private void load(ByteBuffer keys) throws Exception {
        ByteArrayOutputStream call = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(call);
        while (keys.hasRemaining()) {
            byte[] key = Task.bytes(keys);
            setCurrentKey(Task.key(key));
            put(key, out);
            byte[] kept = state.value();
            out.writeInt(kept == null ? 0 : kept.length - Long.BYTES);
            if (kept != null) {
                out.write(kept, Long.BYTES, kept.length - Long.BYTES);
            }
            out.writeLong(kept == null ? Long.MAX_VALUE : ByteBuffer.wrap(kept).getLong());
            List<byte[]> events = new ArrayList<>();
            Iterable<byte[]> held = waiting.get();
            if (held != null) {
                held.forEach(events::add);
            }
            out.writeInt(events.size());
            for (byte[] event : events) {
                put(event, out);
            }
            if (call.size() >= BYTES) {
                task.load(call.toByteArray());
                call.reset();
            }
        }
        if (call.size() > 0) {
            task.load(call.toByteArray());
        }
    }

    /** Takes back what the library kept of keys. */
    private void putBack(int why) throws Exception {
        for (ByteBuffer kept = task.putBack(why); kept.hasRemaining(); kept = task.putBack(why)) {
            while (kept.hasRemaining()) {
                putBack(kept);
            }
        }
    }

    private void putBack(ByteBuffer kept) throws Exception {
        setCurrentKey(Task.key(Task.bytes(kept)));
        boolean isWhole = kept.get() != 0;
        byte[] now = Task.bytes(kept);
        long timer = kept.getLong();
        long timerBefore = kept.getLong();
        boolean hadState = kept.get() != 0;
        boolean hadEvents = kept.get() != 0;
        List<byte[]> events = new ArrayList<>();
        for (int n = kept.getInt(); n > 0; n--) {
            events.add(Task.bytes(kept));
        }
        if (!isWhole) {
            waiting.addAll(events);
        } else {
            if (now.length > 0) {
                state.update(ByteBuffer.allocate(Long.BYTES + now.length).putLong(timer).put(now).array());
            } else if (hadState) {
                state.clear();
            }
            if (!events.isEmpty()) {
                waiting.update(events);
            } else if (hadEvents) {
                waiting.clear();
            }
        }
        if (timer == timerBefore || watermark == Long.MAX_VALUE) {
            return;
        }
        if (timerBefore != Long.MAX_VALUE && timerBefore > watermark) {
            timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, timerBefore);
        }
        if (timer != Long.MAX_VALUE) {
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, timer);
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
