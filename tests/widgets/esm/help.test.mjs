import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces } from "../../../widgets/fedbench_widgets/help/formula.js";
import { beside } from "../../../widgets/fedbench_widgets/help/place.js";
import { MEANING, ofInterval, ofLoss, ofMetric, ofNorm, ofNote } from "../../../widgets/fedbench_widgets/panel/meaning.js";

const plain = (source) => pieces(source).map(({ text, level }) => `${"v.^"[level + 1]}${text}`);

test("a formula's marks lower and raise a letter or a group", () => {
  assert.deepEqual(plain("e^ε P"), [".e", "^ε", ". ", ".P"]);
  assert.deepEqual(plain("p_{k,i}"), [".p", "vk", "v,", "vi"]);
  assert.deepEqual(plain("d^{t − 1}"), [".d", "^t", "^ − 1"]);
});

test("single letters slant, words and numbers do not", () => {
  const slanted = pieces("C·exp(−η(b − γ)) + 2").filter(({ letter }) => letter);
  assert.deepEqual(slanted.map(({ text }) => text), ["C", "η", "b", "γ"]);
});

const AREA = { left: 0, top: 0, width: 1000, height: 800 };
const CARD = { width: 300, height: 150 };

test("a card goes to the first side with room and never over its target", () => {
  const field = { left: 16, top: 400, width: 256, height: 30 };
  assert.deepEqual(beside(field, CARD, AREA, ["right", "above"]), { left: 282, top: 392, side: "right" });
  const wide = { ...field, width: 960 };
  assert.deepEqual(beside(wide, CARD, AREA, ["right", "above"]), { left: 16, top: 240, side: "above" });
  const high = { ...wide, top: 60 };
  const below = beside(high, CARD, AREA, ["right", "above", "below"]);
  assert.deepEqual(below, { left: 16, top: 100, side: "below" });
});

test("a card stays within the area", () => {
  const corner = { left: 950, top: 790, width: 40, height: 10 };
  const { left, top } = beside(corner, CARD, AREA, ["above"]);
  assert.deepEqual([left, top], [692, 630]);
});

test("what numbers mean fits what is measured", () => {
  const help = { loss: "The loss.", train_loss: "In training.", update_norm: "The norm." };
  const told = "Share that is right.\n1/n Σ [ŷ_i = y_i]";
  const accuracy = { metric: { name: "accuracy", label: "", percent: true, help: told } };
  const auc = { metric: { name: "auc", label: "", percent: false, minimize: false } };
  const error = { metric: { name: "rmse", label: "", percent: false } };
  assert.ok(ofMetric(accuracy).startsWith(`${told}\nThe band`));
  assert.ok(ofMetric(error).startsWith("The band"));
  const points = [{ id: "a", label: "", epsilon: 1, value: 0.7, test_rows: 36 }];
  const words = ofMetric(accuracy, ofInterval(points)).split("\n")[2];
  assert.match(words, /over seeds, all on the same 36 test rows, whose own error is not included/);
  assert.match(ofInterval([]), /over seeds, all on the same test rows/);
  assert.match(ofNote(auc), /of the m smallest values/);
  assert.match(ofNote(error), /of the m largest values/);
  const loss = ofLoss({ loss_label: "cross-entropy", help }).split("\n");
  assert.deepEqual(loss, ["The loss.", "−1/n Σ log p(y_i | x_i)", "In training."]);
  assert.match(ofNorm({ help }), /^The norm\.\nWith privacy/);
  assert.match(MEANING.delta, /e\^ε/);
});
