package tripline.flink;

import java.io.Serializable;

/**
 * How much of the state each task keeps ready in memory of its own, beside what Flink keeps.
 *
 * @param keys of the keys, at most
 * @param bytes of their states and of events that wait, about
 */
record Bounds(int keys, long bytes) implements Serializable {
    private static final long serialVersionUID = 1L;

    static final Bounds DEFAULT = new Bounds(1 << 18, 256L << 20);
}
