package tripline.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Records of Kafka with their positions, for {@link KafkaBatches} to route: each is one event in JSON.
 *
 * <p>The position of an event is its partition and its offset: the number of an input is the partition's, that of a line
 * the offset and one more. Of several topics each has room for 4096 partitions.
 */
final class KafkaLines implements KafkaRecordDeserializationSchema<Tuple4<Byte, Long, String, byte[]>> {
    private static final long serialVersionUID = 1L;

    private static final int PARTITIONS = 4096;

    /** Bits of a position that are the number of a line. */
    private static final int LINE_BITS = 48;

    private final List<String> topics;

    KafkaLines(List<String> topics) {
        this.topics = new ArrayList<>(topics);
    }

    static int input(long position) {
        return (int) (position >>> LINE_BITS);
    }

    static long line(long position) {
        return position & ((1L << LINE_BITS) - 1);
    }

    @Override
    public void deserialize(
            ConsumerRecord<byte[], byte[]> record, Collector<Tuple4<Byte, Long, String, byte[]>> out) {
        if (record.value() == null) {
            return;
        }
        long input = topics.indexOf(record.topic()) * PARTITIONS + record.partition();
        out.collect(Item.of(Item.RECORD, input << LINE_BITS | record.offset() + 1, "", record.value()));
    }

    @Override
    public TypeInformation<Tuple4<Byte, Long, String, byte[]>> getProducedType() {
        return Item.TYPE;
    }
}
