package tripline.flink;

import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Records for key groups: each has a key that falls into the group, so Flink brings it to the task that has the group,
 * whatever the parallelism.
 */
final class KeyGroups {
    private final String[] keys;

    /** So many as a job's maximum of parallel tasks. */
    KeyGroups(int count) {
        keys = new String[count];
        int missing = count;
        for (int n = 0; missing > 0; n++) {
            String key = Integer.toString(n);
            int group = KeyGroupRangeAssignment.assignToKeyGroup(key, count);
            if (keys[group] == null) {
                keys[group] = key;
                missing--;
            }
        }
    }

    int count() {
        return keys.length;
    }

    StreamRecord<Tuple3<String, Integer, byte[]>> record(int group, byte[] block) {
        return new StreamRecord<>(Tuple3.of(keys[group], keys.length, block));
    }
}
