# SPDX-License-Identifier: GPL-2.0
"""Python's unittest with its results in TAP."""
import time
import unittest


class Tap(unittest.TestResult):
    """Prints each result as a TAP line."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.begin = 0

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()

    def _line(self, good, test, note=""):
        self.number += 1
        word = "ok" if good else "not ok"
        note = note or f" # time={time.monotonic() - self.begin:.1f}"
        print(f"{word} {self.number} {test.id().split('.', 1)[1]}{note}",
              flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(True, test, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(False, test)
        self._explain(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._line(False, test)
        self._explain(self.errors[-1][1])

    @staticmethod
    def _explain(text):
        for line in text.splitlines():
            print("# " + line, flush=True)


def run(cases, names=()):
    """Run the tests of classes, or those whose names are given, and print
    them. Returns the exit status."""
    suite = unittest.TestSuite(
        test for case in cases
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)
        if not names or test.id().rsplit(".", 1)[1] in names)
    print(f"TAP version 13\n1..{suite.countTestCases()}", flush=True)
    result = Tap()
    suite.run(result)
    return 0 if result.wasSuccessful() else 1
