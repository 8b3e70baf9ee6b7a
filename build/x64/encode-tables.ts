// Opcode tables of the x86-64 encoder (Intel SDM volume 2, appendix A and the instruction pages).
// An opcode is packed in one number: bits 0-7 the opcode byte, bits 8-9 the map (0: one byte, 1: 0F, 2: 0F 38,
// 3: 0F 3A), bits 16-23 the mandatory prefix (66, F2, F3 or none).

export const MAP_0F = 0x100;
export const MAP_0F3A = 0x300;
export const P66 = 0x660000;
export const PF2 = 0xf20000;
export const PF3 = 0xf30000;

/** The group number: also bits 3-5 of the one-byte opcodes (SDM 2D, table A-6 group 1). */
export const ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7 } as const;
export type AluOp = keyof typeof ALU;

/** Group 2. */
export const SHIFT = { rol: 0, ror: 1, shl: 4, shr: 5, sar: 7 } as const;
export type ShiftOp = keyof typeof SHIFT;

/** Groups 3 (F6/F7) and 4/5 (FE/FF): opcode of the full-size form in the high byte, the group number below. */
export const UNARY = {
  not: 0xf702,
  neg: 0xf703,
  mul: 0xf704,
  imul: 0xf705,
  div: 0xf706,
  idiv: 0xf707,
  inc: 0xff00,
  dec: 0xff01,
} as const;
export type UnaryOp = keyof typeof UNARY;

/** Condition codes (SDM volume 1, appendix B). */
export const COND = {
  o: 0,
  no: 1,
  b: 2,
  ae: 3,
  e: 4,
  ne: 5,
  be: 6,
  a: 7,
  s: 8,
  ns: 9,
  p: 10,
  np: 11,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
} as const;
export type Cond = keyof typeof COND;

/** SSE instructions of the form xmm, xmm/m (the immediate, if any, follows). */
export const SSE = {
  movss: PF3 | MAP_0F | 0x10,
  movsd: PF2 | MAP_0F | 0x10,
  movups: MAP_0F | 0x10,
  movupd: P66 | MAP_0F | 0x10,
  movaps: MAP_0F | 0x28,
  movapd: P66 | MAP_0F | 0x28,
  movdqa: P66 | MAP_0F | 0x6f,
  movdqu: PF3 | MAP_0F | 0x6f,
  movd: P66 | MAP_0F | 0x6e,
  movq: PF3 | MAP_0F | 0x7e,
  addss: PF3 | MAP_0F | 0x58,
  addsd: PF2 | MAP_0F | 0x58,
  mulss: PF3 | MAP_0F | 0x59,
  mulsd: PF2 | MAP_0F | 0x59,
  subss: PF3 | MAP_0F | 0x5c,
  subsd: PF2 | MAP_0F | 0x5c,
  minss: PF3 | MAP_0F | 0x5d,
  minsd: PF2 | MAP_0F | 0x5d,
  divss: PF3 | MAP_0F | 0x5e,
  divsd: PF2 | MAP_0F | 0x5e,
  maxss: PF3 | MAP_0F | 0x5f,
  maxsd: PF2 | MAP_0F | 0x5f,
  sqrtss: PF3 | MAP_0F | 0x51,
  sqrtsd: PF2 | MAP_0F | 0x51,
  ucomiss: MAP_0F | 0x2e,
  ucomisd: P66 | MAP_0F | 0x2e,
  andps: MAP_0F | 0x54,
  andpd: P66 | MAP_0F | 0x54,
  andnps: MAP_0F | 0x55,
  andnpd: P66 | MAP_0F | 0x55,
  orps: MAP_0F | 0x56,
  orpd: P66 | MAP_0F | 0x56,
  xorps: MAP_0F | 0x57,
  xorpd: P66 | MAP_0F | 0x57,
  cvtss2sd: PF3 | MAP_0F | 0x5a,
  cvtsd2ss: PF2 | MAP_0F | 0x5a,
  unpcklps: MAP_0F | 0x14,
  unpcklpd: P66 | MAP_0F | 0x14,
  unpckhps: MAP_0F | 0x15,
  unpckhpd: P66 | MAP_0F | 0x15,
  addps: MAP_0F | 0x58,
  addpd: P66 | MAP_0F | 0x58,
  subps: MAP_0F | 0x5c,
  subpd: P66 | MAP_0F | 0x5c,
  punpckldq: P66 | MAP_0F | 0x62,
  punpcklqdq: P66 | MAP_0F | 0x6c,
  pcmpeqb: P66 | MAP_0F | 0x74,
  pcmpeqw: P66 | MAP_0F | 0x75,
  pcmpeqd: P66 | MAP_0F | 0x76,
  pand: P66 | MAP_0F | 0xdb,
  pandn: P66 | MAP_0F | 0xdf,
  por: P66 | MAP_0F | 0xeb,
  pxor: P66 | MAP_0F | 0xef,
  paddd: P66 | MAP_0F | 0xfe,
  paddq: P66 | MAP_0F | 0xd4,
  psubd: P66 | MAP_0F | 0xfa,
  psubq: P66 | MAP_0F | 0xfb,
  psrld: P66 | MAP_0F | 0xd2,
  psrlq: P66 | MAP_0F | 0xd3,
  psrad: P66 | MAP_0F | 0xe2,
  pslld: P66 | MAP_0F | 0xf2,
  psllq: P66 | MAP_0F | 0xf3,
  cmpss: PF3 | MAP_0F | 0xc2,
  cmpsd: PF2 | MAP_0F | 0xc2,
  shufps: MAP_0F | 0xc6,
  pshufd: P66 | MAP_0F | 0x70,
  roundss: P66 | MAP_0F3A | 0x0a,
  roundsd: P66 | MAP_0F3A | 0x0b,
  /** These two write an integer register. */
  movmskps: MAP_0F | 0x50,
  movmskpd: P66 | MAP_0F | 0x50,
} as const;
export type SseOp = keyof typeof SSE;

/** Shifts by an immediate: the opcode, and the group number that takes the reg field. */
export const SSE_SHIFT_IMM: Partial<Record<SseOp, readonly [opcode: number, group: number]>> = {
  psrld: [P66 | MAP_0F | 0x72, 2],
  psrad: [P66 | MAP_0F | 0x72, 4],
  pslld: [P66 | MAP_0F | 0x72, 6],
  psrlq: [P66 | MAP_0F | 0x73, 2],
  psllq: [P66 | MAP_0F | 0x73, 6],
};

/** SSE stores: [m], xmm. */
export const SSE_STORE = {
  movss: PF3 | MAP_0F | 0x11,
  movsd: PF2 | MAP_0F | 0x11,
  movups: MAP_0F | 0x11,
  movaps: MAP_0F | 0x29,
  movd: P66 | MAP_0F | 0x7e,
  movq: P66 | MAP_0F | 0xd6,
} as const;
export type SseStoreOp = keyof typeof SSE_STORE;

/** xmm, r/m of an integer. */
export const CVT_TO_FLOAT = { cvtsi2ss: PF3 | MAP_0F | 0x2a, cvtsi2sd: PF2 | MAP_0F | 0x2a } as const;
/** r, xmm/m. */
export const CVT_TO_INT = { cvttss2si: PF3 | MAP_0F | 0x2c, cvttsd2si: PF2 | MAP_0F | 0x2c } as const;

/** The multi-byte no-operations that Intel recommends (SDM 2B, NOP), by length. */
export const NOPS: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];
