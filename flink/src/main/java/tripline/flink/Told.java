package tripline.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which rules there are, where time began, and how far it has come: what an operator behind the shuffle cannot see in its own
 * events. It hears of it as a stream that goes to all tasks, and keeps it in checkpoints.
 *
 * <p>Rules have numbers that grow. Tasks need not change at the same moment: what goes between them names rules by their
 * content, so a task passes over what is for rules that it does not have yet, or no longer.
 *
 * <p>Every input says where it begins before its first watermark, so all have said it when the first watermark of an
 * operator comes. What is told once more after that, by inputs that begin later, is passed over.
 */
final class Told {
    static final byte START = 0;
    static final byte END = 1;
    static final byte RULES = 2;

    private static final Logger LOG = LoggerFactory.getLogger(Told.class);

    private final Rules rules;

    /** The number of the rules that came, and they; 0 before any. */
    private long version;

    private byte[] bundle;
    private boolean fresh;
    private ListState<Tuple2<Long, byte[]>> keptRules;

    private long start = Task.NEVER_YET;
    private long newest = Task.NEVER_YET;
    private long watermark = Task.NEVER_YET;

    /** What was restored had begun: what is new now begins at the next watermark. */
    private boolean resumed;

    private boolean begun;
    private ListState<Long> kept;

    Told(Rules rules) {
        this.rules = rules;
    }

    void restore(OperatorStateStore store) throws Exception {
        keptRules = store.getUnionListState(new ListStateDescriptor<>(
                "rules", TypeInformation.of(new TypeHint<Tuple2<Long, byte[]>>() {})));
        for (Tuple2<Long, byte[]> before : keptRules.get()) {
            // A job that is submitted with rules that stay goes by those.
            if (rules.mayChange() && before.f0 > version) {
                version = before.f0;
                bundle = before.f1;
            }
        }
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
        keptRules.clear();
        if (version > 0) {
            keptRules.add(Tuple2.of(version, bundle));
        }
        kept.clear();
        kept.add(start);
        kept.add(newest);
        kept.add(watermark);
        kept.add(begun || resumed ? 1L : 0L);
    }

    void tell(Tuple3<Byte, Long, byte[]> what) {
        if (what.f0 == RULES) {
            // Every reader of the source says it.
            if (what.f1 > version) {
                version = what.f1;
                bundle = what.f2;
                fresh = true;
            }
        } else if (what.f0 == END) {
            newest = Math.max(newest, what.f1);
        } else if (!begun && !resumed) {
            start = start == Task.NEVER_YET ? what.f1 : Math.min(start, what.f1);
        }
    }

    /** The rules as they are now, compiled. */
    Task open() {
        if (bundle != null) {
            try {
                return new Task(bundle);
            } catch (RuleException e) {
                LOG.error("the job begins with the rules it was submitted with: {}", e.getMessage());
            }
        }
        return rules.open();
    }

    /** The rules that have come since the last call, or null. Those with errors are passed over, and the log says why. */
    Task next(Task now) {
        if (!fresh) {
            return null;
        }
        fresh = false;
        try {
            Task next = new Task(bundle);
            if (next.fingerprint != now.fingerprint) {
                LOG.info("rules number {}", version);
                return next;
            }
            next.close();
        } catch (RuleException e) {
            LOG.error("the rules stay as they are: {}", e.getMessage());
        }
        return null;
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
