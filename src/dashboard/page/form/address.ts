const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** The entries of a text of addresses, which stand on lines or between commas. */
export const entriesOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter((entry) => entry !== '')

/** Is this an address or a CIDR range? The server has the last word. */
export function isNetwork(entry: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
  const most = IPV4.test(address) ? 32 : isIpv6(address) ? 128 : -1
  return most >= 0 && Number(bits ?? 0) <= most
}

// The browser's own parser of addresses.
const isIpv6 = (address: string): boolean => /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$/.test(address) && URL.canParse(`http://[${address}]/`)
