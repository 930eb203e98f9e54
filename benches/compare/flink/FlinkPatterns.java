import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Flink CEP over the stream of the comparison: FlinkPatterns STREAM PATTERN...
 *
 * <p>One job with one CEP operator for each pattern, parallelism 1, state on the heap, no checkpoints. Prints for each
 * pattern "found PATTERN MATCHES SUM". An event is a tuple of time, user and type, the cheapest form that Flink has.
 */
public final class FlinkPatterns {
  public static void main(String[] arguments) throws Exception {
    Configuration configuration = new Configuration();
    configuration.setString("state.backend.type", "hashmap");
    configuration.setString("rest.address", "127.0.0.1");
    configuration.setString("rest.bind-address", "127.0.0.1");
    configuration.setString("rest.bind-port", "0");
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);

    FileSource<String> lines =
        FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(arguments[0])).build();
    KeyedStream<Tuple3<Long, String, String>, String> events =
        environment
            .fromSource(lines, WatermarkStrategy.noWatermarks(), "lines")
            .flatMap(new Decode())
            .returns(Types.TUPLE(Types.LONG, Types.STRING, Types.STRING))
            .assignTimestampsAndWatermarks(
                WatermarkStrategy.<Tuple3<Long, String, String>>forMonotonousTimestamps()
                    .withTimestampAssigner((event, recorded) -> event.f0))
            .keyBy(event -> event.f1);
    List<String> names = List.of(arguments).subList(1, arguments.length);
    for (String name : names) {
      CEP.pattern(events, pattern(name))
          .inEventTime()
          .process(new Fingerprint())
          .returns(Types.LONG)
          .map(new Tally(name))
          .returns(Types.LONG)
          .sinkTo(new DiscardingSink<>());
    }

    JobExecutionResult result = environment.execute();
    for (String name : names) {
      long matches = result.<Long>getAccumulatorResult("matches " + name);
      long sum = result.<Long>getAccumulatorResult("sum " + name);
      System.out.printf(Locale.ROOT, "found %s %d %d%n", name, matches, sum);
    }
  }

  private static Pattern<Tuple3<Long, String, String>, ?> pattern(String name) {
    return switch (name) {
      case "seq3" ->
          first("a", AfterMatchSkipStrategy.noSkip(), "A")
              .followedBy("b").where(new Is("B"))
              .followedBy("c").where(new Is("C"))
              .within(Duration.ofMinutes(10));
      case "absent" ->
          first("a", AfterMatchSkipStrategy.noSkip(), "A")
              .notFollowedBy("b").where(new Is("B"))
              .within(Duration.ofMinutes(5));
      case "login5skip" ->
          first("failures", AfterMatchSkipStrategy.skipPastLastEvent(), "failed").times(5)
              .followedBy("success").where(new Is("success"))
              .within(Duration.ofMinutes(30));
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static Pattern<Tuple3<Long, String, String>, Tuple3<Long, String, String>> first(
      String step, AfterMatchSkipStrategy skip, String type) {
    return Pattern.<Tuple3<Long, String, String>>begin(step, skip).where(new Is(type));
  }

  /** The type of an event is this. */
  private static final class Is extends SimpleCondition<Tuple3<Long, String, String>> {
    private final String type;

    Is(String type) {
      this.type = type;
    }

    @Override
    public boolean filter(Tuple3<Long, String, String> event) {
      return event.f2.equals(type);
    }
  }

  /** A line of JSON to an event, without building a tree. */
  private static final class Decode implements FlatMapFunction<String, Tuple3<Long, String, String>> {
    private static final JsonFactory JSON = new JsonFactory();

    @Override
    public void flatMap(String line, Collector<Tuple3<Long, String, String>> out) throws Exception {
      Tuple3<Long, String, String> event = new Tuple3<>();
      try (JsonParser parser = JSON.createParser(line)) {
        parser.nextToken();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String field = parser.currentName();
          parser.nextToken();
          switch (field) {
            case "time" -> event.f0 = parser.getLongValue();
            case "user" -> event.f1 = parser.getText();
            case "type" -> event.f2 = parser.getText();
            default -> parser.skipChildren();
          }
        }
      }
      out.collect(event);
    }
  }

  /** A match to what it adds to the sum. */
  private static final class Fingerprint extends PatternProcessFunction<Tuple3<Long, String, String>, Long> {
    @Override
    public void processMatch(Map<String, List<Tuple3<Long, String, String>>> match, Context context, Collector<Long> out) {
      List<Long> times = new ArrayList<>();
      match.values().forEach(events -> events.forEach(event -> times.add(event.f0)));
      long first = times.stream().min(Long::compare).orElseThrow();
      long last = times.stream().max(Long::compare).orElseThrow();
      out.collect(mix(first * 31 + last));
    }

    private static long mix(long number) {
      number = (number ^ (number >>> 30)) * 0xbf58476d1ce4e5b9L;
      number = (number ^ (number >>> 27)) * 0x94d049bb133111ebL;
      return number ^ (number >>> 31);
    }
  }

  /** Counts matches and sums them; a CEP function itself has no accumulators. */
  private static final class Tally extends RichMapFunction<Long, Long> {
    private final String name;
    private final LongCounter matches = new LongCounter();
    private final LongCounter sum = new LongCounter();

    Tally(String name) {
      this.name = name;
    }

    @Override
    public void open(OpenContext context) {
      getRuntimeContext().addAccumulator("matches " + name, matches);
      getRuntimeContext().addAccumulator("sum " + name, sum);
    }

    @Override
    public Long map(Long fingerprint) {
      matches.add(1L);
      sum.add(fingerprint);
      return fingerprint;
    }
  }
}
