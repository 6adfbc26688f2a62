"""The four code blocks of the article's section 5.2, word for word, to be run by experiments.

Nothing here is corrected: ``errata_code`` measures what happens when they are run.
"""

BLOCKS = (
    """\
import numpy as np
from torch.utils.data import Dataset, DataLoader
from torch import nn, optim

class RegressionDataset(Dataset):
    def __init__(self, X, y):
        self.X = X
        self.y = y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, idx):
        x = self.X[idx]
        y = self.y[idx]
        return x, y

X_train = np.random.randn(100, 1)
y_train = X_train * 2 + 1 + np.random.randn(100, 1)
X_test = np.random.randn(100, 1)
y_test = X_test * 2 + 1 + np.random.randn(100, 1)

train_dataset = RegressionDataset(X_train, y_train)
test_dataset = RegressionDataset(X_test, y_test)
""",
    """\
class MLP(nn.Module):
    def __init__(self):
        super(MLP, self).__init__()
        self.fc1 = nn.Linear(1, 10)
        self.fc2 = nn.Linear(10, 1)

    def forward(self, x):
        x = self.fc1(x)
        x = nn.functional.relu(x)
        x = self.fc2(x)
        return x

model = MLP()
criterion = nn.MSELoss()
""",
    """\
def train_epoch(model, data_loader, optimizer, device):
    model.train()
    total_loss = 0
    for x, y in data_loader:
        x = x.to(device)
        y = y.to(device)
        optimizer.zero_grad()
        output = model(x)
        loss = criterion(output, y)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    return total_loss / len(data_loader)

def evaluate(model, data_loader, device):
    model.eval()
    total_loss = 0
    with torch.no_grad():
        for x, y in data_loader:
            x = x.to(device)
            y = y.to(device)
            output = model(x)
            loss = criterion(output, y)
            total_loss += loss.item()
    return total_loss / len(data_loader)
""",
    """\
epochs = 100
batch_size = 32
learning_rate = 0.01

device = torch.device('cuda') if torch.cuda.is_available() else torch.device('cpu')
model.to(device)

optimizer = optim.SGD(model.parameters(), lr=learning_rate)

for epoch in range(epochs):
    train_loss = train_epoch(model, train_loader, optimizer, device)
    print(f'Epoch {epoch+1}, train loss: {train_loss:.4f}')

    test_loss = evaluate(model, test_loader, device)
    print(f'Epoch {epoch+1}, test loss: {test_loss:.4f}')
""",
)
