package tripline.flink;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Records of Kafka, routed where they are read: each is one event in JSON.
 *
 * <p>The position of an event is its partition and its offset: the number of an input is the partition's, that of a line
 * the offset and one more. Of several topics each has room for 4096 partitions.
 */
final class KafkaLines implements KafkaRecordDeserializationSchema<Tuple4<Byte, Long, String, byte[]>> {
    private static final long serialVersionUID = 1L;

    private static final int PARTITIONS = 4096;

    private final Routing routing;
    private final List<String> topics;
    private transient Map<Integer, Long> newest;
    private transient Item.Counts counts;

    KafkaLines(Routing routing, List<String> topics) {
        this.routing = routing;
        this.topics = new ArrayList<>(topics);
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        newest = new HashMap<>();
        counts = new Item.Counts();
        Metrics.input(context.getMetricGroup(), counts);
    }

    @Override
    public void deserialize(
            ConsumerRecord<byte[], byte[]> record, Collector<Tuple4<Byte, Long, String, byte[]>> out)
            throws IOException {
        if (record.value() == null) {
            return;
        }
        int input = topics.indexOf(record.topic()) * PARTITIONS + record.partition();
        long before = newest.getOrDefault(input, Long.MIN_VALUE);
        Task task = routing.task();
        var answer = task.route(input, record.offset() + 1, System.currentTimeMillis(), before, record.value());
        newest.put(input, Item.give(answer, before, counts, out::collect));
    }

    @Override
    public TypeInformation<Tuple4<Byte, Long, String, byte[]>> getProducedType() {
        return Item.TYPE;
    }
}
