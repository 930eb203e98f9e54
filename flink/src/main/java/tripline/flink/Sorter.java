package tripline.flink;

import java.nio.ByteBuffer;

/** Sorts events for keys by stage and key group, in memory of the library. */
final class Sorter implements AutoCloseable {
    private final int groups;
    private long handle;

    /** Bytes that have been sorted and not taken. */
    private int length;

    Sorter(int groups) {
        this.groups = groups;
        handle = Native.sorter(groups);
    }

    /** Takes events as a source gives them. */
    void add(byte[] events) {
        Native.sort(handle, events);
        length += events.length;
    }

    int length() {
        return length;
    }

    interface Receiver {
        void take(boolean upper, int group, byte[] block);
    }

    /** Gives a block for each stage and key group that there are events for. */
    void give(Receiver receiver) {
        if (length == 0) {
            return;
        }
        length = 0;
        ByteBuffer places = ByteBuffer.wrap(Native.sorted(handle));
        while (places.hasRemaining()) {
            int place = places.getInt();
            receiver.take(place >= groups, place % groups, Native.take(handle, place));
        }
    }

    @Override
    public void close() {
        if (handle != 0) {
            Native.closeSorter(handle);
            handle = 0;
        }
    }
}
