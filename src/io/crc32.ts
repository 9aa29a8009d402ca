/** CRC-32 of PNG, zip and gzip. */
export const CRC32: Uint32Array = crcTable(0xedb88320);

/** CRC-32C (Castagnoli) of TensorFlow's record files. */
export const CRC32C: Uint32Array = crcTable(0x82f63b78);

/**
 * Cyclic redundancy check of bytes with one of the tables above, as an unsigned 32-bit number.
 *
 * @example
 * crc(CRC32C, new TextEncoder().encode("123456789")).toString(16); // => "e3069283"
 */
export function crc(table: Uint32Array, bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}

function crcTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? polynomial ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
}
