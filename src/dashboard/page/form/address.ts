const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** Splits text into addresses, separated by line breaks or commas. */
export const entriesOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter((entry) => entry !== '')

/** Returns whether this is an address or a CIDR range. The server makes the final decision. */
export function isNetwork(entry: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
  const most = IPV4.test(address) ? 32 : isIpv6(address) ? 128 : -1
  return most >= 0 && Number(bits ?? 0) <= most
}

// Uses the browser's own address parser.
const isIpv6 = (address: string): boolean => /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$/.test(address) && URL.canParse(`http://[${address}]/`)
