// A trace as it travels (s2vt_model/trace/SCHEMA.md) -> the same with its packed arrays as matrices.

function unpackMatrix({ shape, bits, low, high, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const codes = bits === 8 ? bytes : new Uint16Array(bytes.buffer); // every browser's machine is little-endian
  const values = Float32Array.from(codes, (n) => low + ((high - low) * n) / (2 ** bits - 1));
  const [rows, columns] = shape;
  return { rows, columns, values, at: (row, column) => values[row * columns + column] };
}

const orNull = (packed) => packed && unpackMatrix(packed);

function unpackTrace(trace) {
  const quantity = (q) => ({ ...q, units: unpackMatrix(q.units) });
  const layer = (l) => ({
    ...l,
    quantities: Object.fromEntries(Object.entries(l.quantities).map(([name, q]) => [name, quantity(q)])),
    log_survival: orNull(l.log_survival),
    survival: orNull(l.survival),
  });
  const attribution = (a) => ({ ...a, values: unpackMatrix(a.values), randomised: unpackMatrix(a.randomised) });
  return {
    ...trace,
    streams: trace.streams.map((stream) => ({
      ...stream,
      layers: stream.layers.map(layer),
      attribution: stream.attribution.map(attribution),
    })),
  };
}

const END = "<EOS>";
const spoken = (text) => (text === END ? "(end)" : text);
const quoted = (text) => (text === END ? "the end of the sentence" : `“${text}”`);
