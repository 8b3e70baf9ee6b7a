// Matrix products in f64, and an LU decomposition with its solution.

const N: i32 = 96;
const a = new StaticArray<f64>(N * N);
const b = new StaticArray<f64>(N * N);
const c = new StaticArray<f64>(N * N);
const x = new StaticArray<f64>(N);

function fill(): void {
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++) {
      a[i * N + j] = <f64>((i * 7 + j * 13) % 17) / 16.0 + (i === j ? 20.0 : 0.0);
      b[i * N + j] = <f64>((i * 5 + j * 3) % 11) / 8.0;
    }
}

function multiply(): void {
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++) {
      let sum: f64 = 0.0;
      for (let k = 0; k < N; k++) sum += a[i * N + k] * b[k * N + j];
      c[i * N + j] = sum;
    }
}

/** Doolittle's, in place, without pivoting: the diagonal dominates. */
function decompose(): void {
  for (let k = 0; k < N; k++)
    for (let i = k + 1; i < N; i++) {
      const factor = a[i * N + k] / a[k * N + k];
      a[i * N + k] = factor;
      for (let j = k + 1; j < N; j++) a[i * N + j] -= factor * a[k * N + j];
    }
}

function solve(): void {
  for (let i = 0; i < N; i++) {
    let sum = c[i * N];
    for (let j = 0; j < i; j++) sum -= a[i * N + j] * x[j];
    x[i] = sum;
  }
  for (let i = N - 1; i >= 0; i--) {
    let sum = x[i];
    for (let j = i + 1; j < N; j++) sum -= a[i * N + j] * x[j];
    x[i] = sum / a[i * N + i];
  }
}

export function run(count: u32): u64 {
  let sum: f64 = 0.0;
  for (let round: u32 = 0; round < count; round++) {
    fill();
    b[0] = <f64>round;
    multiply();
    decompose();
    solve();
    for (let i = 0; i < N; i++) sum += x[i];
  }
  return reinterpret<u64>(sum);
}
