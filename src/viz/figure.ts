import type { TopLevelSpec } from "vega-lite";
import { writeFile } from "#platform";
import { ArgumentError } from "../backend/errors.ts";
import { warnOnceWithoutFont } from "./fonts.ts";
import { optional } from "./optional.ts";

/** A path that {@link Figure.save} can write. */
export type FigurePath = `${string}.svg` | `${string}.png` | `${string}.json`;

/** A Vega-Lite specification: the type `TopLevelSpec` of the optional package `vega-lite`, which readers may not have. */
export type ChartSpec = object;

/** MIME type → content, as a notebook shows it. */
export type MimeBundle = Readonly<Record<string, string>>;

/**
 * A chart: a Vega-Lite specification that turns itself into SVG or PNG without a browser.
 *
 * In a Deno notebook a figure that is the last value of a cell is shown in place.
 *
 * @see https://vega.github.io/vega-lite/docs/spec.html
 * @example
 * const figure = lossChart({ train: [2.3, 1.1, 0.7] });
 * (await figure.svg()).startsWith("<svg"); // => true
 */
export class Figure {
  /** The specification; paste it into the Vega editor or embed it in a page with vega-embed. */
  readonly spec: ChartSpec;

  static {
    // The method that a Deno notebook calls on the value of a cell.
    Object.defineProperty(Figure.prototype, Symbol.for("Jupyter.display"), {
      value(this: Figure): Promise<MimeBundle> {
        return this.mimeBundle();
      },
    });
  }

  constructor(spec: ChartSpec) {
    this.spec = spec;
  }

  /**
   * The figure as an SVG document.
   *
   * @throws {@link KindlingError} when the packages `vega` and `vega-lite` are not installed.
   */
  async svg(): Promise<string> {
    const lite = await optional("Figure.svg", "vega vega-lite", () => import("vega-lite"));
    const vega = await optional("Figure.svg", "vega vega-lite", () => import("vega"));
    if (!isSpec(this.spec))
      throw new ArgumentError("Figure.svg", "the specification has no $schema, data, mark or layers.");
    const view = new vega.View(vega.parse(lite.compile(this.spec).spec), { renderer: "none" });
    try {
      const svg = await view.toSVG();
      return isPixelated(this.spec) ? svg.replaceAll("<image ", '<image style="image-rendering:pixelated" ') : svg;
    } finally {
      view.finalize();
    }
  }

  /**
   * The figure as a PNG file, drawn with the fonts of the machine.
   *
   * @param scale - Pixels of the image per pixel of the figure, above 0. Default 2, for sharp screens.
   * @throws {@link ArgumentError} when `scale` is not a number above 0.
   * @throws {@link KindlingError} when `vega`, `vega-lite` or `@resvg/resvg-js` is not installed.
   */
  async png(scale = 2): Promise<Uint8Array> {
    if (!(scale > 0 && Number.isFinite(scale))) {
      throw new ArgumentError("Figure.png", `scale must be a number above 0, got ${scale}.`);
    }
    // resvg knows crisp pixels by their older name only.
    const svg = (await this.svg()).replaceAll("image-rendering:pixelated", "image-rendering:optimizeSpeed");
    const { Resvg } = await optional("Figure.png", "@resvg/resvg-js", () => import("@resvg/resvg-js"));
    warnOnceWithoutFont((text) => new Resvg(text).innerBBox() !== undefined);
    return new Resvg(svg, { fitTo: { mode: "zoom", value: scale } }).render().asPng();
  }

  /**
   * Writes the figure to a file whose ending chooses the format; missing folders are made.
   *
   * @throws {@link ArgumentError} when the path ends in none of `.svg`, `.png` and `.json`.
   */
  async save(path: FigurePath): Promise<void> {
    await writeFile(path, await this.#content(path));
  }

  /** One line that says what the figure shows. */
  toString(): string {
    const title = isSpec(this.spec) ? this.spec.title : undefined;
    const text = typeof title === "object" && "text" in title ? title.text : title;
    return typeof text === "string" ? `Figure: ${text}` : "Figure";
  }

  /** The figure for a notebook: SVG, and a line of text where pictures cannot be shown. */
  async mimeBundle(): Promise<MimeBundle> {
    return { "image/svg+xml": await this.svg(), "text/plain": this.toString() };
  }

  async #content(path: string): Promise<string | Uint8Array> {
    if (path.endsWith(".svg")) return this.svg();
    if (path.endsWith(".png")) return this.png();
    if (path.endsWith(".json")) return `${JSON.stringify(this.spec, null, 2)}\n`;
    throw new ArgumentError("Figure.save", `cannot tell the format of "${path}". End it in .svg, .png or .json.`);
  }
}

/** Charts made of small images ask for crisp pixels, which Vega-Lite has no property for. */
function isPixelated(spec: TopLevelSpec): boolean {
  return spec.usermeta?.pixelated === true;
}

/** Enough of a look to tell a specification from any object; Vega-Lite reports the rest. */
function isSpec(spec: ChartSpec): spec is TopLevelSpec {
  return ["$schema", "data", "mark", "layer", "hconcat", "vconcat", "concat", "facet"].some((key) => key in spec);
}
