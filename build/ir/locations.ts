// Where an instruction came from. A location is a byte offset in the module, or, for code that was inlined, a number
// below -1 that stands for an offset in the inlined function and the location of the call in the function around it.
// So stages that only carry locations along need not know of inlining.

/** Code of no operator. */
export const NOWHERE = -1;
const FIRST_INLINED = -2;

export interface InlinedLocation {
  /** Byte offset in the module, or NOWHERE. */
  offset: number;
  /** Index of the function that was inlined. */
  func: number;
  /** Location of the call. */
  call: number;
}

export class Locations {
  private readonly inlined: InlinedLocation[] = [];
  private readonly functions = new Set<number>();

  /** Undefined for a location that is an offset itself. */
  get(location: number): InlinedLocation | undefined {
    return location <= FIRST_INLINED ? this.inlined[FIRST_INLINED - location] : undefined;
  }

  /** Whether a function has been inlined somewhere. */
  isInlined(func: number): boolean {
    return this.functions.has(func);
  }

  /** For one call of function `func`: from locations in it to those that its copy gets. What has none gets the call's. */
  inliner(func: number, call: number): (location: number) => number {
    this.functions.add(func);
    const known = new Map([[NOWHERE, call]]);
    const map = (location: number): number => {
      let result = known.get(location);
      if (result === undefined) {
        const inner = this.get(location);
        const entry = inner ? { ...inner, call: map(inner.call) } : { offset: location, func, call };
        result = FIRST_INLINED - (this.inlined.push(entry) - 1);
        known.set(location, result);
      }
      return result;
    };
    return map;
  }
}
