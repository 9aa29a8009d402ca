import { afterEach, describe, expect, it, vi } from "vitest";
import { missing } from "../../test/native/oracle.ts";

/** The module as a new process would see it, with these environment variables. */
async function fresh(variables: Readonly<Record<string, string>>): Promise<typeof import("./choose.ts")> {
  vi.resetModules();
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  return import("./choose.ts");
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("choice of backend", () => {
  it.skipIf(missing !== undefined)("takes native where it loads, and makes it once", async () => {
    const { defaultBackend, backendByName } = await fresh({ KINDLING_BACKEND: "", KINDLING_ADDON: "" });
    expect(defaultBackend().name).toBe("native");
    expect(defaultBackend()).toBe(backendByName("native"));
  });

  it("takes js where no addon is found", async () => {
    const { defaultBackend } = await fresh({ KINDLING_BACKEND: "", KINDLING_ADDON: "/nowhere/kindling.node" });
    expect(defaultBackend().name).toBe("js");
  });

  it("obeys KINDLING_BACKEND", async () => {
    const { defaultBackend, backendByName } = await fresh({ KINDLING_BACKEND: "js" });
    expect(defaultBackend().name).toBe("js");
    expect(defaultBackend()).toBe(backendByName("js"));
  });

  it("refuses a forced native that does not load, with the reason", async () => {
    const { defaultBackend } = await fresh({ KINDLING_BACKEND: "native", KINDLING_ADDON: "/nowhere/kindling.node" });
    expect(defaultBackend).toThrow("backend: native cannot be had: no compiled addon was found.");
  });

  it("refuses a module that is not this addon", async () => {
    const { defaultBackend } = await fresh({ KINDLING_BACKEND: "native", KINDLING_ADDON: "node:path" });
    expect(defaultBackend).toThrow(/built from another version/);
  });

  it("refuses names it does not know", async () => {
    const { defaultBackend } = await fresh({ KINDLING_BACKEND: "cuda" });
    expect(defaultBackend).toThrow('backend: there is no backend "cuda". Known: js, native.');
  });
});
