type Rgb = readonly [number, number, number]

/** The minimum contrast of text (WCAG 2.2, 1.4.3). */
const READABLE = 4.5
const STEPS = 20

/** Returns whether this is a color that the page accepts: `#rrggbb`. */
export const isColour = (text: string): boolean => /^#[0-9a-f]{6}$/i.test(text)

/** Returns the color that is readable on a fill: white or near black. */
export function textOn(fill: string): string {
  return contrast(parse(fill), [255, 255, 255]) >= READABLE ? '#ffffff' : '#14171c'
}

/** Returns the color, mixed with white or black until it is readable on the background. */
export function readableOn(colour: string, background: string): string {
  const back = parse(background)
  const target: Rgb = luminance(back) > 0.5 ? [0, 0, 0] : [255, 255, 255]
  const from = parse(colour)
  for (let step = 0; step <= STEPS; step += 1) {
    const mixed = mix(from, target, step / STEPS)
    if (contrast(mixed, back) >= READABLE) return format(mixed)
  }
  return format(target)
}

/** Returns a lighter or darker shade of a color, for soft backgrounds. */
export const softOn = (colour: string, background: string): string => format(mix(parse(background), parse(colour), 0.12))

function parse(colour: string): Rgb {
  const at = (start: number): number => Number.parseInt(colour.slice(start, start + 2), 16)
  return [at(1), at(3), at(5)]
}

function format(rgb: Rgb): string {
  return `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`
}

function mix([r, g, b]: Rgb, [r2, g2, b2]: Rgb, share: number): Rgb {
  return [r + (r2 - r) * share, g + (g2 - g) * share, b + (b2 - b) * share]
}

function contrast(a: Rgb, b: Rgb): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((one, two) => one - two)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}

/** WCAG 2.2, “relative luminance”. */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0)
}
