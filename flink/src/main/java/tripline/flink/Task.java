package tripline.flink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A rule set, compiled once for one task of Flink, which calls from its own thread only. */
final class Task implements AutoCloseable {
    /** No time yet. */
    static final long NEVER_YET = Long.MIN_VALUE;

    private long handle;

    /** Whether there is something behind the keys for a {@link GatherOperator} to do. */
    final boolean gathers;

    /** Whether rules on alerts are matched in a second stage by key. */
    final boolean hasUpper;

    /** How far behind the newest event of its input an event may come. */
    final long latenessMs;

    /** Tells one rule set from another. */
    final long fingerprint;

    /** Keys for which time alone begins something. */
    final List<String> watched = new ArrayList<>();

    Task(byte[] bundle) {
        handle = Native.open(bundle);
        ByteBuffer facts = ByteBuffer.wrap(Native.facts(handle));
        gathers = facts.get() != 0;
        hasUpper = facts.get() != 0;
        latenessMs = facts.getLong();
        fingerprint = facts.getLong();
        while (facts.hasRemaining()) {
            watched.add(key(bytes(facts)));
        }
    }

    ByteBuffer route(int input, long firstLine, long arrival, long newest, byte[] block) {
        return ByteBuffer.wrap(Native.route(handle, input, firstLine, arrival, newest, block));
    }

    ByteBuffer step(long start, long watermark, long newest, byte[] keys) {
        return ByteBuffer.wrap(Native.step(handle, start, watermark, newest, keys));
    }

    /** An event for a key, as JSON. */
    String eventText(byte[] event) {
        return new String(Native.eventText(handle, event), StandardCharsets.UTF_8);
    }

    void gather(byte[] items) {
        Native.gather(handle, items);
    }

    ByteBuffer advance(long start, long watermark, long newest) {
        return ByteBuffer.wrap(Native.advance(handle, start, watermark, newest));
    }

    byte[] save() {
        return Native.save(handle);
    }

    void restore(byte[] state) {
        Native.restore(handle, state);
    }

    @Override
    public void close() {
        if (handle != 0) {
            Native.close(handle);
            handle = 0;
        }
    }

    /** When an event on its way to a key happened, in milliseconds: it stands behind the version, little-endian. */
    static long time(byte[] event) {
        return Item.ms(ByteBuffer.wrap(event).order(ByteOrder.LITTLE_ENDIAN).getLong(1));
    }

    /** A byte string with its length before it. */
    static byte[] bytes(ByteBuffer from) {
        byte[] bytes = new byte[from.getInt()];
        from.get(bytes);
        return bytes;
    }

    static String text(ByteBuffer from) {
        return new String(bytes(from), StandardCharsets.UTF_8);
    }

    /** A key as Flink has it: a character a byte, since arrays are no keys. */
    static String key(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    static byte[] key(String key) {
        return key.getBytes(StandardCharsets.ISO_8859_1);
    }
}
