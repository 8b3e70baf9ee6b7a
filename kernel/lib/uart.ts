// COM1, a 16550 UART: its registers (TI PC16550D data sheet, table 2). lib/serial.ts sends, drivers/serial-input.ts receives.

const COM1: u32 = 0x3f8;
export const TRANSMIT: u32 = COM1 + 0;
export const RECEIVE: u32 = COM1 + 0;
export const DIVISOR_LOW: u32 = COM1 + 0; // while LCR.DLAB is set
export const DIVISOR_HIGH: u32 = COM1 + 1; // while LCR.DLAB is set
export const INTERRUPT_ENABLE: u32 = COM1 + 1;
export const FIFO_CONTROL: u32 = COM1 + 2;
export const LINE_CONTROL: u32 = COM1 + 3;
export const MODEM_CONTROL: u32 = COM1 + 4;
export const LINE_STATUS: u32 = COM1 + 5;

export const IER_DATA: u32 = 1 << 0;
export const FCR_ENABLE_AND_CLEAR: u32 = 0x07;
export const LCR_8N1: u32 = 0x03;
export const LCR_DLAB: u32 = 0x80;
export const MCR_DTR_RTS: u32 = 3;
export const MCR_INTERRUPTS: u32 = 1 << 3; // OUT2, which lets them through on a PC
export const LSR_DATA: u32 = 1 << 0;
export const LSR_TRANSMIT_EMPTY: u32 = 1 << 5; // THRE: with the FIFO on, the whole FIFO is empty
export const LSR_IDLE: u32 = 1 << 6; // TEMT: the last byte is out too
/** The bus floats: there is no such device. */
export const LSR_NONE: u32 = 0xff;
