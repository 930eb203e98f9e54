package tripline.flink;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A rule set, compiled once for one task of Flink, which calls from its own thread only. */
final class Task implements AutoCloseable {
    /** No time yet. */
    static final long NEVER_YET = Long.MIN_VALUE;

    /** Why keys are put back: there are too many, a checkpoint is made, other rules come. */
    static final int ROOM = 0;

    static final int CHECKPOINT = 1;
    static final int LEAVE = 2;

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

    /** Keeps keys ready from now on. {@code anew}: nothing is kept of any key yet. */
    void hold(Bounds bounds, int groups, boolean anew) {
        Native.hold(handle, bounds.keys(), bounds.bytes(), groups, anew);
    }

    /** Takes a block of events; gives those that came too late, each as JSON. */
    ByteBuffer feed(long watermark, byte[] block) {
        return ByteBuffer.wrap(Native.feed(handle, watermark, block));
    }

    /** Time has come to a watermark; timers rang for some keys. Gives the keys that have to be loaded. */
    ByteBuffer due(long watermark, long newest, byte[] rung) {
        return ByteBuffer.wrap(Native.due(handle, watermark, newest, rung));
    }

    void load(byte[] kept) {
        Native.load(handle, kept);
    }

    ByteBuffer step(long start, long watermark, long newest) {
        return ByteBuffer.wrap(Native.step(handle, start, watermark, newest));
    }

    /** Gives what is to be kept of keys; to be asked until it gives nothing. */
    ByteBuffer putBack(int why) {
        return ByteBuffer.wrap(Native.putBack(handle, why));
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
