# Two commands do everything on a fresh machine with a Rust toolchain: `make demo` and `make test`.
# Each installs what is missing first (see .ci/setup), and uses one build profile, so that the
# dependencies are compiled once.

CARGO ?= cargo
KINORA = $(or $(CARGO_TARGET_DIR),target)/release/kinora
DEMO = out/infinite-zoom.mp4

.PHONY: demo test setup build fmt clippy unit doc smoke bench

demo: build
	mkdir -p out
	$(KINORA) render examples/infinite-zoom.kin -o $(DEMO)
	@echo
	@echo "the film is $(DEMO), its frames are in $(DEMO:.mp4=.frames)"

test: setup fmt clippy unit doc smoke

setup:
	@.ci/setup

build: setup
	$(CARGO) build --release --locked

fmt: setup
	$(CARGO) fmt --check

clippy: setup
	$(CARGO) clippy --release --locked --all-targets -- -D warnings

unit: setup
	$(CARGO) test --release --locked
	$(CARGO) test --locked --manifest-path grammar/tree-sitter-kinora/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)/tree-sitter

doc: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps

# One short render from end to end, with the program that the tests built.
smoke: unit
	rm -rf out/smoke && mkdir -p out/smoke
	$(KINORA) check examples/infinite-zoom.kin
	$(KINORA) render examples/infinite-zoom.kin --draft --frames 0-3 -o out/smoke/zoom.mp4
	test -s out/smoke/zoom.mp4

bench: setup
	$(CARGO) bench --locked
