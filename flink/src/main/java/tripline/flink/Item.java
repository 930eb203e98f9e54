package tripline.flink;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple4;

/**
 * What a source gives: kind, time in nanoseconds, a text that is empty, bytes.
 *
 * <p>A tuple, because Flink writes those without asking what they are.
 */
final class Item {
    /** Events on their way to keys, one behind the other. */
    static final byte BLOCK = 0;

    /** An event for the gatherer. */
    static final byte GATHER = 1;

    /** A line that came too late. */
    static final byte LATE = 2;

    /** No event: an input has come so far. */
    static final byte MARK = 3;

    /** No event: an input begins; the time is that of its first event less the lateness. */
    static final byte START = 4;

    /** A record before it is routed; the time is its position. It goes no further than {@link KafkaBatches}. */
    static final byte RECORD = 5;

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
     * Hands on what {@link Task#route} answered, and gives the newest event time of the input. What says how far an input
     * has come stands behind the events, so that no watermark goes before them.
     */
    static long give(
            ByteBuffer answer, long newestBefore, Counts counts, Consumer<Tuple4<Byte, Long, String, byte[]>> out) {
        long newest = answer.getLong();
        long first = answer.getLong();
        counts.events += answer.getInt();
        counts.rejected += answer.getInt();
        counts.late += answer.getInt();
        if (newestBefore == Long.MIN_VALUE && first != Long.MIN_VALUE) {
            out.accept(of(START, first, "", NOTHING));
        }
        int items = answer.getInt();
        int end = answer.position() + items;
        while (answer.position() < end) {
            if (answer.get() == GATHER) {
                long ns = answer.getLong();
                out.accept(of(GATHER, ns, "", Task.bytes(answer)));
            } else {
                out.accept(of(LATE, 0, "", Task.bytes(answer)));
            }
        }
        if (answer.hasRemaining()) {
            byte[] block = new byte[answer.remaining()];
            answer.get(block);
            out.accept(of(BLOCK, 0, "", block));
        }
        if (newest > newestBefore) {
            out.accept(of(MARK, newest, "", NOTHING));
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
