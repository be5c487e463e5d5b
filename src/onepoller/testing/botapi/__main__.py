"""Run the fake Bot API as a program."""

from onepoller.testing.botapi.run import main

main()
