// Node's fetch with its defaults.
import { readFileSync } from "node:fs";

const [url, file] = process.argv.slice(2);
for (let count = 0; count < 3; count++) {
  const answer = await fetch(url, { method: "POST", body: readFileSync(file) });
  console.log(await answer.text());
}
