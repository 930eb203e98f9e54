package tripline.flink;

import java.nio.ByteBuffer;
import java.util.function.BiConsumer;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple4;

/**
 * What a source gives: kind, event time in nanoseconds, key, bytes.
 *
 * <p>A tuple, because Flink writes those without asking what they are.
 */
final class Item {
    /** An event on its way to a key. */
    static final byte EVENT = 0;

    /** An event for the gatherer. */
    static final byte GATHER = 1;

    /** A line that came too late. */
    static final byte LATE = 2;

    /** No event: an input has come so far. */
    static final byte MARK = 3;

    /** No event: an input begins; the time is that of its first event less the lateness. */
    static final byte START = 4;

    /** An event on its way to a key of the second stage. */
    static final byte UPPER = 5;

    /** No event: the rules from here on; the time is their number. */
    static final byte RULES = 6;

    static final TypeInformation<Tuple4<Byte, Long, String, byte[]>> TYPE =
            TypeInformation.of(new TypeHint<Tuple4<Byte, Long, String, byte[]>>() {});

    private static final byte[] NOTHING = new byte[0];
    private static final long NS = 1_000_000;

    private Item() {}

    static Tuple4<Byte, Long, String, byte[]> of(byte kind, long ns, String key, byte[] bytes) {
        return Tuple4.of(kind, ns, key, bytes);
    }

    static long ms(long ns) {
        return Math.floorDiv(ns, NS);
    }

    /**
     * Hands on what {@link Task#route} answered, each thing with its time in milliseconds, and gives the newest event time
     * of the input. A block without an event for any key is a mark, so that time goes on.
     */
    static long give(
            ByteBuffer answer, long newestBefore, Counts counts, BiConsumer<Tuple4<Byte, Long, String, byte[]>, Long> out) {
        long newest = answer.getLong();
        long first = answer.getLong();
        counts.events += answer.getInt();
        counts.rejected += answer.getInt();
        counts.late += answer.getInt();
        if (newestBefore == Long.MIN_VALUE && first != Long.MIN_VALUE) {
            out.accept(of(START, first, "", NOTHING), null);
        }
        while (answer.hasRemaining()) {
            byte kind = answer.get();
            switch (kind) {
                case EVENT, UPPER -> {
                    long ns = answer.getLong();
                    String key = Task.key(Task.bytes(answer));
                    out.accept(of(kind, ns, key, Task.bytes(answer)), ms(ns));
                }
                case GATHER -> {
                    long ns = answer.getLong();
                    out.accept(of(GATHER, ns, "", Task.bytes(answer)), ms(ns));
                }
                default -> out.accept(of(LATE, 0, "", Task.bytes(answer)), null);
            }
        }
        if (newest > newestBefore) {
            out.accept(of(MARK, newest, "", NOTHING), ms(newest));
        }
        return newest;
    }

    /** What was read so far by one reader. */
    static final class Counts {
        long events;
        long rejected;
        long late;
    }
}
