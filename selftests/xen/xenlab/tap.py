# SPDX-License-Identifier: GPL-2.0
"""Python's unittest with its results in TAP."""
import time
import unittest


class Tap(unittest.TestResult):
    """Prints each result as a TAP line. A test and what it leaves behind may
    both fail: that is one line, with an explanation of each."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.begin = 0
        self.running = None
        self.complaints = []

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()
        self.running = test
        self.complaints = []

    def stopTest(self, test):
        super().stopTest(test)
        self.running = None
        if self.complaints:
            self._line(False, test)
            self._explain()

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
        self._complain(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._complain(test, self.errors[-1][1])

    def _complain(self, test, text):
        self.complaints.append(text)
        # What a class needs has failed: no test has begun, and none will
        if self.running is None:
            self._line(False, test)
            self._explain()

    def _explain(self):
        for text in self.complaints:
            for line in text.splitlines():
                print("# " + line, flush=True)
        self.complaints = []


def run(cases, names=()):
    """Run the tests of classes, or those whose names are given, and print
    them. Returns the exit status: a name that no test has is a failure."""
    tests = [test for case in cases
             for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)]
    known = {test.id().rsplit(".", 1)[1]: test for test in tests}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"Bail out! no such test: {', '.join(unknown)}", flush=True)
        return 2
    if names:
        tests = [test for name, test in known.items() if name in names]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    result = Tap()
    unittest.TestSuite(tests).run(result)
    return 0 if result.wasSuccessful() else 1
