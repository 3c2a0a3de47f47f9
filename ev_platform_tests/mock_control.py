"""Full control of librdkafka's mock cluster for tests: topics, injected errors, broker down and up, retention.

The library bundled with confluent-kafka exports the mock API; it is experimental, so only tests use it. Runs as its own
process (`python -m ev_platform_tests.mock_control`): one JSON command a line on stdin, one JSON answer a line.
"""

from __future__ import annotations

import ctypes
import glob
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import confluent_kafka

OFFSET_COMMIT, FETCH, PRODUCE, LIST_OFFSETS, METADATA, OFFSET_FETCH = 8, 1, 0, 2, 3, 9
DROP_CONNECTION = -195
_P, _I, _S, _N = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_I16, _I32, _I64 = ctypes.c_int16, ctypes.c_int32, ctypes.c_int64


class MockHost:
    """The cluster itself; lives in the child process."""

    def __init__(self) -> None:
        root = os.path.dirname(os.path.dirname(confluent_kafka.__file__))
        found = glob.glob(os.path.join(root, "confluent_kafka.libs", "librdkafka*.so*"))
        found += glob.glob(os.path.join(root, "confluent_kafka", ".dylibs", "librdkafka*.dylib"))
        lib = ctypes.CDLL(found[0])

        def fn(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
            function = getattr(lib, "rd_kafka_" + name)
            function.restype, function.argtypes = result, list(arguments)  # the default int would cut pointers
            return function

        error = ctypes.create_string_buffer(512)
        client = fn("new", _P, _I, _P, _S, _N)(0, fn("conf_new", _P)(), error, 512)
        if not client:
            raise RuntimeError(error.value)
        self._cluster = fn("mock_cluster_new", _P, _P, _I)(client, 1)
        self.bootstrap = fn("mock_cluster_bootstraps", _S, _P)(self._cluster).decode()
        fn("mock_group_initial_rebalance_delay_ms", None, _P, _I32)(self._cluster, 0)
        self._topic = fn("mock_topic_create", _I, _P, _S, _I, _I)
        self._push = fn("mock_push_request_errors_array", None, _P, _I16, _N, ctypes.POINTER(_I))
        self._down = fn("mock_broker_set_down", _I, _P, _I32)
        self._up = fn("mock_broker_set_up", _I, _P, _I32)
        self._rtt = fn("mock_broker_set_rtt", _I, _P, _I32, _I)
        self._delete = fn("mock_partition_delete_records", _I, _P, _S, _I32, _I64)

    def create_topic(self, topic: str, partitions: int) -> int:
        return self._topic(self._cluster, topic.encode(), partitions, 1)

    def push_errors(self, api: int, *codes: int) -> None:
        self._push(self._cluster, api, len(codes), (_I * len(codes))(*codes))

    def down(self) -> int:
        return self._down(self._cluster, -1)

    def up(self) -> int:
        return self._up(self._cluster, -1)

    def rtt(self, milliseconds: int) -> int:
        return self._rtt(self._cluster, -1, milliseconds)

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        return self._delete(self._cluster, topic.encode(), partition, before)


class MockCluster:
    """The test's handle on a mock cluster in a child process; commands are methods: `create_topic("t", 3)`."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "ev_platform_tests.mock_control"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.bootstrap = self._answer()

    def _answer(self) -> Any:
        assert self._child.stdout is not None
        return json.loads(self._child.stdout.readline())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps([name, *arguments]) + "\n")
            self._child.stdin.flush()
            return self._answer()

        return call

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> MockCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _main() -> None:
    host = MockHost()
    print(json.dumps(host.bootstrap), flush=True)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(getattr(host, command)(*arguments)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _main()
