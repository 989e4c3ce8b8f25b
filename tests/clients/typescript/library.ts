// A visit to the library of sheet music with what openapi-typescript made of the API's document.
// Arguments: the server's address, and the file to upload.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [address, path] = process.argv.slice(2) as [string, string];
const content = await readFile(path);
const guest = createClient<paths>({ baseUrl: address });

function known<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert.ok(answer.data !== undefined, `${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const login = known(
  await guest.POST("/api/v1/auth/register", { body: { usertag: "Typist", password: "correct horse"} }),
);
assert.ok(login.access_token);
const client = createClient<paths>({
  baseUrl: address,
  headers: { Authorization: `Bearer ${login.access_token}` },
});

// What openapi-fetch's manual tells for forms: generated types have a file as text.
const form = (body: object) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const each of Array.isArray(value) ? value : [value]) data.append(name, each);
  }
  return data;
};
const file = new File([content], "air.txt") as unknown as string;
const sheet = known(
  await client.POST("/api/v1/sheet_music/upload", {
    body: {
      file,
      title: "Träumerei",
      album: "Kinderszenen",
      tags: ["romantic", "slow"],
      difficulty: "beginner",
      tempo: 72.5,
    },
    bodySerializer: form,
  }),
);
assert.deepEqual([sheet.title, sheet.tags, sheet.tempo], ["Träumerei", ["romantic", "slow"], 72.5]);
assert.equal(sheet.file_name, "air.txt");

const found = known(
  await client.GET("/api/v1/sheet_music/search", {
    params: { query: { text: "traum", creator: "Typist", difficulty: "beginner", sort: "newest", limit: 5 } },
  }),
);
assert.deepEqual(found.sheets.map((each) => each.id), [sheet.id]);
assert.equal(found.facets?.tags["romantic"], 1);

const params = { path: { id: sheet.id } };
assert.equal(known(await client.GET("/api/v1/sheet_music/{id}", { params })).album, "Kinderszenen");
assert.equal(known(await client.PUT("/api/v1/sheet_music/{id}/favorite", { params })).favorites, 1);

const download = "/api/v1/sheet_music/{id}/download";
const original = known(await client.GET(download, { params, parseAs: "arrayBuffer" }));
assert.deepEqual(Buffer.from(original), content);
const query = { format: "mid" } as const;
const midi = Buffer.from(
  known(await client.GET(download, { params: { ...params, query }, parseAs: "arrayBuffer" })),
);
assert.equal(midi.subarray(0, 4).toString("latin1"), "MThd");
const part = await client.GET(download, {
  params: { ...params, query, header: { Range: "bytes=4-" } },
  parseAs: "arrayBuffer",
});
assert.equal(part.response.status, 206);
assert.deepEqual(Buffer.from(known(part)), midi.subarray(4));

const changed = await client.PATCH("/api/v1/sheet_music/{id}", { params, body: { title: "Dreaming" } });
assert.equal(known(changed).title, "Dreaming");
assert.equal((await client.DELETE("/api/v1/sheet_music/{id}", { params })).response.status, 204);
const gone = await client.GET("/api/v1/sheet_music/{id}", { params });
assert.equal(gone.error?.error.code, "not-found");
console.log("done");
