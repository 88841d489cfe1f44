"""What compare.py measures, with whom and how long, and what may be said of it; needs no GPU and no PyTorch."""
from __future__ import annotations

import json
import math
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

from sample_results import row

import carried_over
import cells
import deadline
import flash_packages
import intervals
import refusals


class Cells(unittest.TestCase):
    def test_f16_peers_are_the_peers_in_f16(self):
        peers, in_f16 = cells.cells_of(["peers"]), cells.cells_of(["f16-peers"])
        self.assertEqual(len(in_f16), 24)
        self.assertEqual([{**cell, "dtype": "f16"} for cell in peers], in_f16)

    def test_backward_has_the_cells_of_forward_and_the_same_peers(self):
        forward, backward = cells.cells_of(["peers"]), cells.cells_of(["bwd-peers"])
        self.assertEqual([{**cell, "op": "bwd"} for cell in forward], backward)
        self.assertEqual([cells.peers_of(cell) for cell in forward], [cells.peers_of(cell) for cell in backward])

    def test_a_cell_of_two_sets_is_measured_once(self):
        both = cells.cells_of(["peers", "few"])
        self.assertEqual(both, cells.cells_of(["peers"]))

    def test_the_quick_set_has_one_of_each_kind(self):
        quick = cells.cells_of(["quick"])
        self.assertLessEqual(len(quick), 10)
        for key, values in (("op", {"fwd", "bwd"}), ("dtype", {"bf16", "f16", "f32"}), ("causal", {False, True})):
            self.assertEqual({cell[key] for cell in quick}, values, key)
        self.assertTrue(any(cell["hq"] != cell["hkv"] for cell in quick))
        self.assertTrue(any(cell["nq"] == 1 for cell in quick))
        self.assertTrue(any(cells.timing_of(cell) == cells.REPLAY and cell["nq"] > 1 for cell in quick))

    def test_all_kinds_of_problems_are_there(self):
        every = cells.cells_of(sorted(cells.SETS))
        self.assertEqual({cell["dtype"] for cell in every}, {"f16", "bf16", "f32", "f64"})
        self.assertTrue(any(cell["nq"] > cell["nk"] for cell in every))
        self.assertTrue(any(cell["d_v"] != cell["d_qk"] for cell in every))
        self.assertTrue(any(cell["d_qk"] % 8 for cell in every))
        for cell in every:
            self.assertEqual(cell["hq"] % cell["hkv"], 0, cell)
            self.assertGreater(cells.flops(cell), 0, cell)

    def test_peers_are_those_of_the_dtype_that_are_wanted(self):
        f32 = cells.cells_of(["f32"])[0]
        self.assertEqual(cells.peers_of(f32), ["efficient", "flex", "math"])
        self.assertEqual(cells.peers_of(f32, ["fa2", "math"]), ["math"])
        self.assertEqual(cells.peers_of(cells.cells_of(["peers"])[0])[-1], "math")  # it takes what memory there is

    def test_pairs_by_convention(self):
        def pairs(nq, nk, causal=True, **more):
            return cells.visible_pairs(cells.cell("bf16", 1, 1, 1, nq, 64, causal, nk=nk, **more))

        self.assertEqual(pairs(4, 8, causal=False), 32)
        self.assertEqual(pairs(8, 8), 32)
        self.assertEqual(pairs(4, 8), 4 * 8 - 8)  # bottom right: the first row sees half of the keys
        self.assertEqual(pairs(8, 4), 8)
        self.assertEqual(pairs(4, 8, top_left=True), 8)
        self.assertEqual(pairs(8, 4, top_left=True), 8 + 4 * 4)  # the last four rows see all

    def test_masks_align_as_they_say(self):
        one = cells.cell("bf16", 1, 1, 1, 4, 64, True, nk=8)
        self.assertEqual(cells.mask_offset(one), 4)
        self.assertEqual(cells.mask_offset({**one, "top_left": True}), 0)


class CarriedOver(unittest.TestCase):
    def test_only_the_two_cells_that_were_measured_have_a_figure(self):
        known = {(cell["d_qk"], cell["nq"]): carried_over.carried_over(cell)["triton"]["tflops"]
                 for cell in cells.cells_of(sorted(cells.SETS)) if carried_over.carried_over(cell)}
        self.assertEqual(known, {(64, 2048): 402.0, (128, 2048): 454.0})
        for change in ({"dtype": "bf16"}, {"causal": True}, {"hkv": 4}, {"nk": 4096}):
            cell = {**cells.cell("f16", 8, 16, 16, 2048, 128, False), **change}
            self.assertEqual(carried_over.carried_over(cell), {}, change)

    def test_a_figure_names_its_source(self):
        figure = carried_over.carried_over(cells.cell("f16", 8, 32, 32, 2048, 64, False))["triton"]
        self.assertIn("not interleaved", figure["source"])
        self.assertIn("2026-11-22", figure["source"])


class Intervals(unittest.TestCase):
    def test_what_moves_both_alike_cancels(self):
        ratio = intervals.paired_ratio([200.0, 100.0, 150.0], [100.0, 50.0, 75.0])
        self.assertAlmostEqual(ratio.value, 2)
        self.assertAlmostEqual(ratio.low, 2)
        self.assertAlmostEqual(ratio.high, 2)
        self.assertEqual(ratio.verdict, "won")

    def test_the_interval_is_students(self):
        logs = [0.10, 0.14, 0.06, 0.12, 0.08]
        ratio = intervals.paired_ratio([math.exp(value) for value in logs], [1.0] * 5)
        reach = 2.776 * 0.0316228 / math.sqrt(5)  # 0.975 quantile at four degrees of freedom, standard deviation
        self.assertAlmostEqual(math.log(ratio.value), 0.1)
        self.assertAlmostEqual(math.log(ratio.low), 0.1 - reach, 5)
        self.assertAlmostEqual(math.log(ratio.high), 0.1 + reach, 5)

    def test_verdicts(self):
        self.assertEqual(intervals.paired_ratio([2.0, 2.1, 2.2], [1.0, 1.0, 1.0]).verdict, "won")
        self.assertEqual(intervals.paired_ratio([1.0, 1.0, 1.0], [2.0, 2.1, 2.2]).verdict, "lost")
        self.assertEqual(intervals.paired_ratio([1.0, 1.2, 0.9], [1.0, 1.0, 1.0]).verdict, "tied")
        self.assertEqual(intervals.paired_ratio([1.0, 1.0], [1.0, 1.0]).verdict, "tied")

    def test_the_other_way_round_is_the_reciprocal(self):
        ours, theirs = [3.0, 3.5, 2.9], [2.0, 2.8, 2.5]
        one, other = intervals.paired_ratio(ours, theirs), intervals.paired_ratio(theirs, ours)
        self.assertAlmostEqual(one.value * other.value, 1)
        self.assertAlmostEqual(one.low * other.high, 1)

    def test_one_round_says_nothing_of_its_error(self):
        ratio = intervals.paired_ratio([3.0], [2.0])
        self.assertEqual((ratio.value, ratio.verdict), (1.5, "one round"))

    def test_no_ratio_without_both(self):
        for ours, theirs in ((None, [1.0]), ([1.0], None), ([], []), ([1.0, 2.0], [1.0])):
            self.assertIsNone(intervals.paired_ratio(ours, theirs))

    def test_many_rounds_take_the_last_quantile(self):
        self.assertIsNotNone(intervals.paired_ratio([1.0, 1.1] * 40, [1.0] * 80))

    def test_means_are_geometric(self):
        rows = [row(2048, 64, {"attune": [200.0], "fa2": [400.0]}), row(2048, 128, {"attune": [300.0], "fa2": [150.0]})]
        mean, count = intervals.geometric_mean(rows, "fa2")
        self.assertAlmostEqual(mean, 1.0)
        self.assertEqual(count, 2)
        self.assertEqual(intervals.geometric_mean(rows, "cudnn")[1], 0)


class Refusals(unittest.TestCase):
    def test_a_reason_becomes_a_word(self):
        for reason, word in (("out of memory: CUDA out of memory. Tried to allocate 32 GiB", "out of memory"),
                             ("CUDA out of memory. Tried to allocate 32 GiB", "out of memory"),
                             ("WRONG: inf times the tolerance", "WRONG"), ("left out: 3 s are to spare", "left out"),
                             ("No available kernel. Aborting execution.", "unsupported"),
                             ("attune_plan_create: the problem is valid but not supported: D", "unsupported"),
                             ("InternalTorchDynamoError: list index", "failed")):
            self.assertEqual(refusals.word_for(reason), word)


class Deadlines(unittest.TestCase):
    def at(self, now: float):
        return mock.patch.object(deadline.time, "monotonic", lambda: now)

    def test_without_a_bound_everything_is_allowed(self):
        endless = deadline.Deadline(0, None, 1000)
        endless.check_compile()
        self.assertTrue(endless.begins_cell())

    def test_cells_come_before_compiles(self):
        with self.at(100):
            bounded = deadline.Deadline(started=100, seconds=60, cells=4)
            bounded.check_compile()  # 60 s less 4 cells of 5 s leave 40
        with self.at(115):
            with self.assertRaises(refusals.LeftOut):
                bounded.check_compile()
            bounded.compiled(10)
            bounded.check_compile()  # known to take less by now
        with self.at(154):
            self.assertTrue(bounded.begins_cell())
        with self.at(156):
            self.assertFalse(bounded.begins_cell())

    def test_cells_are_judged_by_those_that_were_without_their_compiles(self):
        with self.at(0):
            bounded = deadline.Deadline(started=0, seconds=100, cells=4)
            self.assertTrue(bounded.begins_cell())
        with self.at(30):
            bounded.compiled(10)
            bounded.ended_cell()
        self.assertAlmostEqual(bounded.seconds_per_cell(), (5 + 5 + 20) / 3)
        with self.at(60):
            with self.assertRaises(refusals.LeftOut):
                bounded.check_compile()  # 40 s less 3 cells of 10 s leave 10, and a compile may take 15


class FlashPackages(unittest.TestCase):
    def test_who_is_not_installed_is_not_compared_with(self):
        with mock.patch.object(flash_packages.importlib.util, "find_spec", side_effect=ModuleNotFoundError):
            self.assertEqual(flash_packages.installed_packages(), {})

    def test_a_folder_without_the_module_is_not_the_package(self):
        with mock.patch.object(flash_packages.importlib.util, "find_spec", lambda name: mock.Mock(
                origin=None if name == "flash_attn" else "file")):
            self.assertEqual(sorted(flash_packages.installed_packages()), ["flash-attn-3", "flash-attn-4"])


class Compare(unittest.TestCase):
    """compare.py with PyTorch, the GPU and the library stood in for: what it stores, and when."""

    def run_with(self, measure, folder: str, *options: str) -> int:
        torch = mock.MagicMock()
        names = ("torch", "torch._functorch", "torch._functorch.config", "torch.nn", "torch.nn.attention",
                 "torch.nn.attention.bias", "torch.nn.attention.flex_attention", "torch.nn.functional")
        with mock.patch.dict(sys.modules, {name: torch for name in names}):
            for name in ("compare", "flex", "gradients", "measuring", "providers", "rounds"):
                sys.modules.pop(name, None)
            import compare

            head = {"gpu": "NVIDIA H200", "date": "2026-11-22", "commit": "abc", "rounds": 5, "packages": {}}
            with mock.patch.multiple(compare, Timer=mock.MagicMock(), Attune=mock.MagicMock(),
                                     describe_run=lambda *_: head, measure_cell=measure,
                                     Ceiling=lambda _: mock.Mock(tflops=lambda: 790.0)), \
                    mock.patch.object(compare.attune_ctypes, "Library"), \
                    mock.patch.object(compare.attune_ctypes, "find_library"), \
                    mock.patch.object(sys, "argv", ["compare.py", *options, "--out", folder]), \
                    mock.patch("builtins.print"):
                return compare.main()

    @staticmethod
    def measured(cell, *_):
        return {**cell, "tflops": {"attune": [1.0], "fa2": [2.0]}, "config": None, "match": None, "error": None,
                "refused": {}, "carried_over": carried_over.carried_over(cell)}

    def stored(self, folder: str) -> dict:
        return json.loads((pathlib.Path(folder) / "h200-2026-11-22-abc.json").read_text())

    def test_a_run_that_is_cut_short_keeps_what_it_measured(self):
        calls = []

        def measure(cell, *rest):
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(cell)
            return self.measured(cell, *rest)

        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(KeyboardInterrupt):
                self.run_with(measure, folder, "--cells", "f16-peers")
            self.assertEqual(len(self.stored(folder)["rows"]), 2)
            self.assertIs(self.stored(folder)["complete"], False)

    def test_a_whole_run_says_that_it_is_complete(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_with(self.measured, folder, "--cells", "f16-peers"), 0)
            self.assertEqual(len(self.stored(folder)["rows"]), 24)
            self.assertIs(self.stored(folder)["complete"], True)

    def test_a_quick_run_asks_for_who_is_there(self):
        asked = []

        def measure(cell, peers, *rest):
            asked.append(peers)
            return self.measured(cell, peers, *rest)

        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_with(measure, folder, "--quick"), 0)
            self.assertEqual(len(asked), len(cells.cells_of(["quick"])))
            self.assertEqual(asked[0], ["fa2", "cudnn", "flex", "efficient"])
            self.assertEqual(sorted(path.suffix for path in pathlib.Path(folder).iterdir()), [".csv", ".json", ".md"])

    def test_a_cell_that_attune_refuses_is_a_failure(self):
        def refuse(cell, *rest):
            return {**self.measured(cell, *rest), "refused": {"attune": "no"}}

        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_with(refuse, folder, "--cells", "f16-peers"), 1)


if __name__ == "__main__":
    unittest.main()
